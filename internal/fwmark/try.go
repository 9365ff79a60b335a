package fwmark

import (
	"context"
	"fmt"
	"os"

	"ldirectord/internal/subprocess"
)

// Try returns the reason why marks can't be set here for packets of a family. It returns nil if they can, or if the
// failure may be temporary. fix is the command that selects a program that can set them, or "". To find out, it adds a
// chain with such a rule, but without a jump to it, and then removes the chain.
func Try(ctx context.Context, ipv6 bool) (fix string, err error) {
	name := iptablesOf(ipv6)
	if err = try(ctx, name, ipv6); err == nil || passing(err) { // another program may be setting marks
		return "", nil
	}
	for _, b := range backEnds {
		if path, _ := subprocess.Find(programOf(b, ipv6)); path != "" && try(ctx, path, ipv6) == nil {
			return fmt.Sprintf("update-alternatives --set %s %s", name, path), err
		}
	}
	return "", err
}

func try(ctx context.Context, program string, ipv6 bool) error {
	f, chain := family{tables: &xtables{program: program, ipv6: ipv6}}, fmt.Sprintf("ldirectord-%d", os.Getpid())
	_, err := f.run(ctx, []command{
		{option: newChain, chain: chain},
		{option: appendRule, chain: chain, rule: "-j MARK --set-mark 1"},
	})
	if err == nil { // otherwise run has removed it
		_, err = f.run(context.WithoutCancel(ctx), []command{{option: removeChain, chain: chain}})
	}
	return err
}
