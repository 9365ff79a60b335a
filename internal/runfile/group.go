package runfile

import (
	"fmt"
	"os/user"
	"strconv"
)

// GroupID returns the number of a group. The argument is the group's name in /etc/group, or its number.
func GroupID(name string) (int, error) {
	if g, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(g.Gid)
	}
	id, err := strconv.ParseUint(name, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("the group %s is not in /etc/group; "+
			"write a group from another source, such as LDAP, as its number", name)
	}
	return int(id), nil
}
