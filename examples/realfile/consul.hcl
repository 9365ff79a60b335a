# For consul-template: the healthy servers of the service web, with their weights, as file_sd in JSON. consul-template
# renames the finished file. It puts IPv6 in brackets. ldirectord.cf has:  realfile = /run/lb/web.json masq
template {
  contents = <<-LIST
    [{{ range $i, $s := service "web" }}{{ if $i }},{{ end }}
      {"targets": ["{{ .Address | regexReplaceAll ".*:.*" "[$0]" }}:{{ .Port }}"],
       "labels": {"weight": "{{ .Weights.Passing }}"}}{{ end }}
    ]
  LIST
  destination = "/run/lb/web.json"
  perms       = 0644
}
