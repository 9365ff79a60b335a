module ldirectord/tools

go 1.26.0

toolchain go1.26.8

require (
	golang.org/x/net v0.62.0
	golang.org/x/sys v0.49.0
)

require (
	github.com/go-asn1-ber/asn1-ber v1.5.8
	github.com/jackc/pgx/v5 v5.12.0
	layeh.com/radius v0.0.0-20231213012653-1006025d24f8
	ldirectord v0.0.0
)

replace ldirectord => ..
