# What somebody has changed in a network namespace, of which CRIU saves nothing: noted by hook.sh (`remember`) before a dump, in
# `state`, and put back here into a new one, by what differs from it as it is here, in `work`. All of `state` comes from
# another host: nothing of it is taken for anything but what it should be. `addresses`: those that the engine had given it;
# `alike`: it has given the same ones here, so that all that is about them can be as it was.

# What `ip` has to be told, in an order that works.
to_change() {
	{
		cards
		addresses
		same neighbours || neighbours
		for family in 4 6; do # clients wait: most often nothing is another
			same all$family || routes $family | sed "s/^/-$family /"
			same rules$family || rules $family | sed "s/^/-$family /"
		done
		same all4 || order | sed 's/^/-4 /'
	} | grep '^[][A-Za-z0-9@./:,_ -]*$' # no other character has a place in them
}
same() { cmp -s "$state/net.$1" "$work/net.$1"; }
cards() {
	awk '
		function after(word) {return match($0, " " word " [^ \\\\]+") ? substr($0, RSTART + length(word) + 2, RLENGTH - length(word) - 2) : ""}
		function marked(flag) {return $3 ~ "[<,]" flag "[,>]"}
		function made(what) {print "link set " name " " what}
		{
			name = $2; sub(/[@:].*/, "", name); mtu = after("mtu"); up = marked("UP")
			queue = after("qlen"); alias = after("alias"); promiscuous = marked("PROMISC"); groups = marked("ALLMULTI")
		}
		FILENAME == ARGV[1] {
			has[name] = mtu; is_up[name] = up; is_queue[name] = queue; is_alias[name] = alias
			is_promiscuous[name] = promiscuous; is_groups[name] = groups
			next
		}
		!(name in has) && / dummy / {
			print "link add " name " mtu " mtu " type dummy"
			if (match($0, /link\/ether [0-9a-f:]+/)) print "link set " name " address " substr($0, RSTART + 11, RLENGTH - 11)
			if (up) print "link set " name " up"
			next
		}
		!(name in has) {if (up) print "link add " name; next} # what is down the kernel may have made by itself
		has[name] != mtu {made("mtu " mtu)}
		is_up[name] != up {made(up ? "up" : "down")}
		queue != "" && is_queue[name] != queue {made("txqueuelen " queue)}
		alias != "" && is_alias[name] != alias {made("alias " alias)}
		is_promiscuous[name] != promiscuous {made("promisc " (promiscuous ? "on" : "off"))}
		is_groups[name] != groups {made("allmulticast " (groups ? "on" : "off"))}
	' "$work/net.cards" "$state/net.cards"
}
addresses() {
	awk -v given=",$given," -v alike="$alike" '
		$3 !~ /^inet/ || / scope link/ || / dynamic/ || $2 == "lo" && $4 ~ /^(127\.0\.0\.1|::1)\// {next}
		{key = $2 " " $4; bare = $4; sub("/.*", "", bare); ours = index(given, "," bare ",")}
		FILENAME == ARGV[1] {has[key]; next}
		{had[key]}
		key in has || ours && !alike {next}
		{
			more = ""
			if (match($0, / peer [0-9a-f.:\/]+/)) more = substr($0, RSTART, RLENGTH)
			if (match($0, / brd [0-9.]+/)) more = more substr($0, RSTART, RLENGTH)
			if (match($0, / scope (global|site|host)/)) more = more substr($0, RSTART, RLENGTH)
			if (/ noprefixroute/) more = more " noprefixroute"
			if ($3 == "inet6") more = more " nodad"
			print "addr add " $4 more " dev " $2
		}
		END {
			for (key in has) if (!(key in had) && alike) {split(key, part, " "); print "addr del " part[2] " dev " part[1]}
		}
	' "$work/net.every" "$state/net.every"
}
routes() { # 4|6; those that the kernel makes for addresses come and go with these
	engine='^$'
	[ -n "$alike" ] || engine=' proto static\|^default\| src '
	grep -vxFf "$work/net.all$1" -e '' "$state/net.all$1" | grep -v -e ' proto kernel' -e '^fe80::' -e "$engine" >"$work/missing"
	# Several to one place with one metric are one after the other; of IPv6 they are one route.
	{ grep -v ' via ' "$work/missing"; grep ' via ' "$work/missing"; } | awk -v six="$1" '
		{key = $0; gsub(/ (via|dev|src|proto|scope) [^ ]+/, "", key)}
		FILENAME == ARGV[1] {count[key]++; next}
		six == 4 && count[key] > 1 {next}
		{print "route replace " $0}
	' "$state/net.all$1" -
	[ "$1" = 6 ] || awk '
		{key = $0; gsub(/ (via|dev|src|proto|scope) [^ ]+/, "", key)}
		FILENAME == ARGV[1] {count[key]++; next}
		count[key] > 1 {print "route append " $0}
	' "$state/net.all$1" "$work/missing"
	[ -z "$alike" ] || grep -vxFf "$state/net.all$1" -e '' "$work/net.all$1" | grep -v -e ' proto kernel' -e '^fe80::' | sed 's/^/route del /'
}
# Of routes to one place with one metric the first counts, and which comes first the engine leaves to chance.
order() {
	awk '
		/ proto kernel/ {next}
		{key = $0; gsub(/ (via|dev|src|proto|scope) [^ ]+/, "", key)}
		FILENAME == ARGV[1] {here[$0] = FNR; next}
		$0 in here {
			if (here[$0] < last[key]) wrong[key]
			last[key] = here[$0]
			gone[key] = gone[key] "route del " $0 "\n"
			again[key] = again[key] "route append " $0 "\n"
		}
		END {for (key in wrong) printf "%s%s", gone[key], again[key]}
	' "$work/net.all4" "$state/net.all4"
}
rules() { # 4|6
	grep -vxFf "$work/net.rules$1" -e '' "$state/net.rules$1" | rule_lines add
	grep -vxFf "$state/net.rules$1" -e '' "$work/net.rules$1" | rule_lines del
}
rule_lines() {
	sed "s/^\([0-9]*\):[[:space:]]*/rule $1 priority \1 /; s/ \[detached\]//g"
}
neighbours() {
	grep -vxFf "$work/net.neighbours" -e '' "$state/net.neighbours" |
		sed -n 's/^\([0-9a-f.:]* dev [A-Za-z0-9@._-]* lladdr [0-9a-f:]*\) *PERMANENT *$/neigh replace \1 nud permanent/p'
}

sysctls() { # of cards too, so after these. `all` sets all others, which are put back after it
	all=
	set_sysctls
	[ -n "$all" ] || return 0
	grep -rsH . /proc/sys/net >"$work/net.sysctls"
	other_sysctls
	set_sysctls
}
other_sysctls() {
	awk 'FILENAME == ARGV[1] {here[$0]; next} !($0 in here)' "$work/net.sysctls" "$state/net.sysctls" >"$work/knobs"
}
set_sysctls() {
	while IFS=: read -r knob value; do
		case $knob in *..* | *[!A-Za-z0-9/._-]*) continue ;; /proc/sys/net/*) ;; *) continue ;; esac
		case $knob in */all/*) all=yes ;; esac
		[ ! -w "$knob" ] || printf '%s\n' "$value" >"$knob"
	done <"$work/knobs"
}

# Most often all is as it was, and one look at everything says so: clients wait. Left out is what is about this host alone,
# and what the kernel makes by itself. Sysctls that are another go to `knobs`, and do not count.
as_it_was() {
	: >"$work/knobs"
	set -- "$work/net.sysctls" "$state/net.sysctls"
	for from in "$work" "$state"; do
		for name in cards every neighbours rules4 rules6 all4 all6 nft; do set -- "$@" "$from/net.$name"; done
	done
	awk -v work="$work/" -v knobs="$work/knobs" '
		function after(word) {return match($0, " " word " [^ \\\\]+") ? substr($0, RSTART, RLENGTH) : ""}
		FNR == 1 {name = FILENAME; sub(/.*\/net\./, "", name); here = index(FILENAME, work) == 1; n = skip = 0}
		name == "sysctls" && here {sysctl[$0]; next}
		name == "sysctls" {if (!($0 in sysctl)) print >knobs; next}
		/^#/ {next}
		name == "nft" {
			if (/^table /) skip = $3 ~ /^CRIU/
			if (skip) next
		}
		name == "cards" {
			card = $2; sub(/[@:].*/, "", card)
			flags = ($3 ~ /[<,]UP[,>]/) ($3 ~ /PROMISC/) ($3 ~ /ALLMULTI/)
			$0 = card " " flags after("mtu") after("qlen") after("alias")
		}
		name == "every" {
			if (/ scope link/ || / dynamic/) next
			sub(/^[0-9]+: /, ""); sub(/\\.*/, ""); gsub(/ (tentative|proto kernel_[a-z]+)/, "")
		}
		name ~ /^all/ && (/ proto kernel/ || /^fe80::/) {next}
		{n++}
		here {is[name, n] = $0; most[name] = n; next}
		is[name, n] != $0 {other = 1; exit}
		{had[name] = n}
		END {
			for (name in most) if (had[name] != most[name]) other = 1
			exit other
		}' "$@" && [ -z "$(xtables)" ]
}

# Tables of nftables that are not here. CRIU's own locks are nobody's, and what iptables has made only that can make again.
tables() {
	for family in ip ip6; do
		sed -n "s/^\*/$family /p" "$state/net.${family}tables-nft" "$state/net.${family}tables" 2>/dev/null
	done >"$work/xtables"
	awk '
		FILENAME == ARGV[1] {by_iptables[$1 " " $2]; next}
		FILENAME == ARGV[2] {if (/^table /) here[$2 " " $3]; next}
		/^table / {name = $2 " " $3; skip = $3 ~ /^CRIU/ || name in by_iptables || name in here}
		!skip
	' "$work/xtables" "$work/net.nft" "$state/net.nft"
}
# Chains, policies and rules of iptables' that are not here, without CRIU's, which are named so.
chains() { # FILE: of `iptables-save -c`
	sed -e '/^#/d; /^:CRIU /d; / CRIU$/d; /-A CRIU /d' "$1"
}
bare_chains() { chains "$1" | sed 's/ *\[[0-9]*:[0-9]*\] *//' | grep -v -e '^COMMIT' -e '^\*' -e '^:.* ACCEPT$'; }
filters() {
	tables >"$work/tables"
	[ ! -s "$work/tables" ] || grep -qw -e include -e define "$work/tables" || nft -f "$work/tables"
	for file in $(xtables); do
		[ -n "$(missing_chains "$file")" ] || continue
		chains "$state/net.$file" >"$work/chains"
		# Matches and targets are programs' parts, which are looked for by name.
		grep -qE -e ' (-m|-j|-g|--match|--jump|--goto) [^ ]*[^A-Za-z0-9_ -]' "$work/chains" || "$file-restore" --wait 5 --noflush --counters "$work/chains"
	done
}
xtables() { # that there is something of
	for file in iptables iptables-nft iptables-legacy ip6tables ip6tables-nft ip6tables-legacy; do [ ! -s "$state/net.$file" ] || echo $file; done
}
missing_chains() { # TOOL
	touch "$work/net.$1"
	bare_chains "$work/net.$1" >"$work/bare"
	bare_chains "$state/net.$1" | grep -vxFf "$work/bare" -e ''
}

unlike() { # what is not as it was, in words
	to_change | sed 's/^/its network is another: it lacks `ip /; s/$/`/'
	[ ! -s "$state/net.nft" ] || tables | sed -n 's/^\(table .*\) {$/its network is another: it lacks the \1 of nftables/p'
	for file in $(xtables); do missing_chains "$file" | sed "s/^/its network is another: it lacks $file's /"; done
}

replay() { # STATE WORK, inside the namespace; says what could not be made as it was
	state=$1 work=$2 other=
	/bin/sh "$HOOK" remember "$work"
	as_it_was || other=yes
	[ ! -s "$work/knobs" ] || sysctls
	[ -n "$other" ] || return 0
	read -r given <"$state/addresses"
	alike=yes
	for one in $(printf %s "$given" | tr , ' '); do grep -qF " $one/" "$work/net.every" || alike=; done
	[ -n "$(unlike)" ] || return 0
	to_change >"$work/batch"
	grep -v '^-6 ' "$work/batch" | sed 's/^-4 //' | ip -force -batch - >&2
	sed -n 's/^-6 //p' "$work/batch" | ip -6 -force -batch - >&2
	filters >&2
	/bin/sh "$HOOK" remember "$work"
	other_sysctls
	sysctls # of cards that were not there
	unlike
}
