package keepalived

import "strings"

// converted are the words that have an equivalent or need none. The words of UDP_CHECK are included, because the whole
// block gets one comment.
var converted = strings.Fields(`
	virtual_server real_server TCP_CHECK HTTP_GET SSL_GET SMTP_CHECK DNS_CHECK MISC_CHECK PING_CHECK url
	lb_algo lvs_sched lb_kind lvs_method ops
	persistence_timeout persistence_granularity persistence_engine protocol
	alpha omega quorum hysteresis sorry_server sorry_server_lvs_method inhibit_on_failure
	weight uthreshold lthreshold delay_loop connect_timeout retry nb_get_retry delay_before_retry connect_port
	virtualhost path status_code regex regex_no_match regex_stack enable_sni fast_recovery
	UDP_CHECK payload require_reply min_reply_length max_reply_length
	type name misc_path misc_timeout misc_dynamic ` + schedulerFlags)

// several are the converted words that may have more than one value.
var several = strings.Fields("real_server sorry_server status_code misc_path regex_stack")

// escaped are the converted words whose values are kept as written, with their quotes. keepalived interprets
// backslashes in them, so their converters remove the quotes.
var escaped = []string{"regex", "misc_path"}

const schedulerFlags = "flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback"

// hints maps words without an equivalent to the end of their comment, see noEqual: what ldirectord does instead.
var hints = map[string]string{
	"certificate":          "; set tlscert to the certificate in each section that needs it",
	"ip_family":            "; a mark has the address family of its first server",
	"key":                  "; set tlskey to the key file in each section that needs it",
	"BFD_CHECK":            "; no check is made in its place",
	"FILE_CHECK":           "; no check is made in its place; agentport and the command set change weights",
	"digest":               "; receive takes a pattern that the page must match",
	"ha_suspend":           "; a standby director also makes all checks",
	"notify_down":          notify,
	"notify_up":            notify,
	"quorum_down":          notify,
	"quorum_up":            notify,
	"regex_options":        "; options such as (?i) begin the pattern of receive",
	"smtp_alert":           "; emailalert takes addresses for mail about servers",
	"sorry_server_inhibit": "; the fallback server is in the table only while it serves",
	"user":                 "; checkcommand runs as the daemon's user",
	"connect_ip":           "; the address of the real server is checked",
}

const notify = "; onchange is run at each change of a server or a service, with other arguments"
