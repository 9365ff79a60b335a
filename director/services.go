package director

import (
	"ldirectord/ipvsctl"
	"ldirectord/parser"
)

// Service is a virtual service of a plan, with all the destinations that it may have.
type Service struct {
	Config  *parser.Virtual
	Key     ipvsctl.Key
	Members []Member // real servers in file order, then the fallback server
}

// Member is a real server, or the fallback server, of a virtual service.
type Member struct {
	Name     string       // as configured: address:port, or host:port with resolve
	Dest     ipvsctl.Dest // as it is in the table while it serves
	Fallback bool
}

// Services finds the virtual services that an operator means by an id, address:port or mark; "" means all.
func (p *Plan) Services(virtual string) []Service {
	var found []Service
	for _, v := range p.virtuals {
		if isNamed(v.cfg.ID, virtual) {
			one := Service{Config: v.cfg, Key: v.key}
			for _, s := range v.servers {
				one.Members = append(one.Members, Member{Name: s.name(), Dest: s.dest})
			}
			if v.fallback != nil {
				one.Members = append(one.Members, Member{Name: v.fallbackName, Dest: *v.fallback, Fallback: true})
			}
			found = append(found, one)
		}
	}
	return found
}
