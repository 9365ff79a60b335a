module ldirectord

go 1.26
