#!/bin/sh
# Guards what may happen to a workload on this host, whatever becomes of the controller that asks for it.
#
#   mark NAME EPOCH PHASE ROLE RUN PEER       write the workload's durable marker
#   mend NAME EPOCH                           put a `fenced` marker in the place of one that cannot be trusted
#   show [NAME]                               markers and hooks, one JSON object a line
#   run NAME EPOCH PHASES -- ARGV             run a command if epoch and phase allow it (PHASES: a,b or `any`)
#   hook NAME FILE [GROUP [paused]]           make the file in bin/ this workload's CRIU action script; GROUP: the name
#                                             of the one cgroup that it may freeze (its path's last part); paused: an
#                                             engine pauses it for the dump, and lets it run on however that ends
#   hold NAME EPOCH SILENCE FREEZE MODE FENCE RUN PEER -- ARGV    start the checkpoint command; wait until held
#   beat NAME...                              the controller still cares (held hooks)
#   commit NAME EPOCH | release NAME EPOCH | resume NAME EPOCH [RUN] | clean NAME
#   boot NAME -- ARGV                         when this host boots: run a command if the workload belongs here
#   may-start < STATE                         as an OCI hook: may this container run its first instruction here?
#   may-restore NAME                          as CRIU's script: may somebody other than the guard restore it here?
#   lease take NAME OWNER TTL | lease beat|drop NAME OWNER | lease show NAME
#
# SILENCE, FREEZE and TTL are whole seconds; MODE is `transactional` or `restore-back`; FENCE is 0 or 1.
# An empty RUN or PEER is written `-`. State: $RECONCILER_ROOT/workloads/NAME (root's, 0700).
# Time is /proc/uptime plus the boot id, so that a jump of the clock expires nothing.
# Exit codes below 75 and above 86 are those of the command that was run.
E_LOWER=75 E_BROKEN=76 E_PHASE=77 E_LEASED=78 E_RESUMED=79 E_NOTHELD=80 E_BUSY=81 E_USAGE=82 E_HOST=83
E_OTHER=84 E_COMMITTED=85 E_RUNNING=86
FORMAT=1 # of markers; every later one begins `reconciler-marker FORMAT NAME EPOCH` as well
LOCK_WAIT=1000  # centiseconds to wait for another command on the same workload
BOOT_WAIT=30000 # the same for what a boot starts, which nobody asks for again
HOLD_WAIT=10    # seconds for a checkpoint command to begin, beside those that it may freeze
EXIT_WAIT=3000  # centiseconds to wait for a checkpoint process that was told to end

set -uf
umask 077
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ROOT=${RECONCILER_ROOT:-/var/lib/reconciler}
PROC=${RECONCILER_PROC:-/proc}
SH=${RECONCILER_SH:-/bin/sh}

die() {
	printf 'reconciler-guard[%s]: %s\n' "$1" "$2" >&2
	exit "$1"
}

usage() { die $E_USAGE "$1"; }

# --- small things, without forks: every command here is on a path where milliseconds count ---

now() { # NOW: centiseconds since boot
	read -r NOW _ <"$PROC/uptime" || die $E_HOST "cannot read $PROC/uptime"
	NOW=${NOW%.*}${NOW#*.}
	NOW=${NOW#0}
}

boot() { read -r BOOT <"$PROC/sys/kernel/random/boot_id" || die $E_HOST "cannot read the boot id"; }

lives() { # PID [START]: is it that very process? STARTED: when it started
	STARTED=
	{ read -r LINE <"/proc/$1/stat"; } 2>/dev/null || return 1
	WANT=${2-}
	# shellcheck disable=SC2086
	set -- ${LINE##*) }
	[ $# -ge 20 ] && [ "$1" != Z ] && [ "$1" != X ] || return 1
	STARTED=${20}
	[ -z "$WANT" ] || [ "$WANT" = "$STARTED" ]
}

word() { # first complete line of a file into WORD and REST; fails when it is not there yet
	WORD='' REST=''
	[ -e "$1" ] && { read -r WORD REST <"$1"; } 2>/dev/null
}

is_name() {
	case $1 in '' | *[!a-z0-9.-]* | [!a-z0-9]* | *[!a-z0-9]) return 1 ;; esac
	[ ${#1} -le 63 ]
}

is_number() {
	case $1 in '' | *[!0-9]* | 0?*) return 1 ;; esac
	[ ${#1} -le 15 ]
}

is_text() {
	case $1 in '' | *[!A-Za-z0-9._:@/+-]*) return 1 ;; esac
	[ ${#1} -le 200 ]
}

is_group() { # never one that a system has for itself: those are short, or end in `.slice` or `.service`
	case $1 in *[!A-Za-z0-9_.-]* | [!a-z0-9]* | *.slice | *.service | *.scope | *.mount | *.socket) return 1 ;; esac
	[ ${#1} -ge 4 ] && [ ${#1} -le 200 ]
}

is_phase() {
	case $1 in running | reserved | held | verified | committed | confirmed | retired | fenced) return 0 ;; esac
	return 1
}

is_role() {
	case $1 in source | destination | owner) return 0 ;; esac
	return 1
}

enter() { # NAME: go to its folder
	is_name "$1" || usage "not a workload's name: $1"
	N=$1 W=$ROOT/workloads/$1 H=$ROOT/workloads/$1/hook
	[ -d "$W" ] || mkdir -p "$W" || die $E_HOST "cannot make $W"
	# shellcheck disable=SC3067  # dash and busybox have it
	[ -O "$W" ] || die $E_HOST "$W belongs to another user"
}

lock() { # FILE: exclusive until this process ends; children get it closed (9>&-) so that none keeps it
	true >>"$W/$1" || die $E_HOST "cannot write in $W"
	exec 9>>"$W/$1"
	flock -n 9 && return
	now
	END=$((NOW + LOCK_WAIT))
	until flock -n 9; do
		now
		[ "$NOW" -lt "$END" ] || die $E_BUSY "another command still works on $N here"
		sleep 0.02
	done
}

poke() { [ ! -p "$1" ] || printf 'x\n' 1<>"$1"; } # wake who reads this fifo; never blocks, reader or not

ticker() { # FIFO SECONDS: poke it until this process is gone
	while sleep "$2" && kill -0 $$; do poke "$1"; done </dev/null >/dev/null 2>&1 6>&- 9>&- & # ends by this process's end
	TICKER=$!
}

# --- the marker: one line, written twice, so that a torn or foreign file shows without computing a sum ---

parse() { # FILE: EPOCH PHASE ROLE RUN PEER, or WHY it cannot be trusted; NEWER: the later format it has
	WHY='' ONE='' TWO='' MORE='' NEWER=''
	{ { read -r ONE && read -r TWO && ! { read -r MORE || [ -n "$MORE" ]; }; } <"$1"; } 2>/dev/null || {
		WHY='it is cut short, too long or not readable'
		return 1
	}
	[ "$ONE" = "$TWO" ] || { WHY='its two lines differ' && return 1; }
	# shellcheck disable=SC2086
	set -- $ONE
	[ "${1-}" = reconciler-marker ] && is_number "${2-}" || {
		WHY='it is not a marker of Reconciler'
		return 1
	}
	[ "$2" = "$FORMAT" ] || {
		NEWER=$2 WHY="another release of Reconciler wrote it (format $2, this one knows $FORMAT)"
		return 1
	}
	[ $# -eq 8 ] && is_number "$4" && is_phase "$5" && is_role "$6" && is_text "$7" && is_text "$8" || {
		WHY='its fields are not those of a marker'
		return 1
	}
	[ "$3" = "$N" ] || { WHY='it belongs to another workload' && return 1; }
	EPOCH=$4 PHASE=$5 ROLE=$6 RUN=$7 PEER=$8
}

read_marker() { # as parse; without a marker: epoch 0, phase none
	EPOCH=0 PHASE=none ROLE=owner RUN=- PEER=- WHY='' NEWER=''
	[ -e "$W/marker" ] || [ -L "$W/marker" ] || return 0
	parse "$W/marker" || return 1
	# A hook that resumed by itself cannot wait for a lock and a disk: its verdict says so instead.
	if [ "$PHASE" = held ] || [ "$PHASE" = verified ]; then
		# Not for tasks that stay frozen, or were ended, because CRIU was killed: their images are to be restored.
		if word "$H/verdict" && [ "$WORD $REST" = "resume $EPOCH" ] && [ ! -e "$H/kept" ] && [ ! -e "$H/killed" ]; then
			PHASE=running ROLE=owner
		fi
	fi
}

load() { # [EPOCH]: the marker; refuses when it cannot be trusted or knows a higher epoch
	read_marker || die $E_BROKEN "the marker $W/marker cannot be trusted: $WHY"
	[ $# -gt 0 ] || return 0
	is_number "$1" || usage "not an epoch: $1"
	[ "$1" -ge "$EPOCH" ] || die $E_LOWER "$N has epoch $EPOCH here (phase $PHASE), refusing epoch $1"
}

ours() { # RUN EPOCH: two controllers that planned from the same epoch have the same one, but not the same run
	[ "$1" = - ] || [ "$RUN" = - ] || [ "$1" = "$RUN" ] || [ "$EPOCH" -lt "$2" ] ||
		die $E_OTHER "$N is $PHASE here under epoch $EPOCH of run $RUN, not of $1"
}

store() { # EPOCH PHASE ROLE RUN PEER: durable on return
	BODY="reconciler-marker $FORMAT $N $1 $2 $3 $4 $5"
	if { { read -r ONE && read -r TWO; } <"$W/marker"; } 2>/dev/null && [ "$ONE$TWO" = "$BODY$BODY" ]; then
		sync "$W" || die $E_HOST "cannot write $W to disk"
	else
		printf '%s\n%s\n' "$BODY" "$BODY" >"$W/marker.new" && sync "$W/marker.new" && parse "$W/marker.new" &&
			mv -f "$W/marker.new" "$W/marker" && sync "$W" || die $E_HOST "cannot write the marker $W/marker"
	fi
	EPOCH=$1 PHASE=$2 ROLE=$3 RUN=$4 PEER=$5
}

# --- the hook's folder ---
# conf: EPOCH SILENCE FREEZE FENCE MODE BOOT   runner: PID START     held: UPTIME PID START   beat: UPTIME
# kept: PID START of frozen tasks that must not run on without CRIU   killed: why they were ended
# warden: PID START; while it lives after a killed CRIU it unlocks connections
# verdict: `resume EPOCH` or `commit EPOCH`    final: `release EPOCH` or `resume EPOCH`       status: NUMBER
# verdict and final are made by ln, so that the first writer wins.

look() { # STATE: none, starting, held, ended (STATUS says how) or lost (reboot, killed)
	STATE=none VERDICT='' FINAL='' STATUS='' HELD='' BEAT='' C_EPOCH=0 C_MODE='' HOOK_PID='' HOOK_START=''
	word "$H/conf" || return 0
	C_EPOCH=$WORD
	# shellcheck disable=SC2086
	set -- $REST
	C_MODE=${4-} C_BOOT=${5-}
	word "$H/verdict" && VERDICT=$WORD
	word "$H/final" && FINAL=$WORD
	if word "$H/held"; then
		HELD=$WORD HOOK_PID=${REST% *} HOOK_START=${REST#* }
		BEAT=$HELD
		word "$H/beat" && is_number "$WORD" && [ "$WORD" -gt "$BEAT" ] && BEAT=$WORD
	fi
	if word "$H/status"; then
		STATE=ended STATUS=$WORD
		# CRIU was killed, and its hook keeps the tasks frozen without it; or an engine was that asked for the dump.
		if [ -n "$HELD" ] && { [ -e "$H/kept" ] || { [ -e "$H/paused" ] && [ ! -e "$H/ended" ]; }; } &&
			lives "$HOOK_PID" "$HOOK_START"; then STATE=held STATUS=; fi
		return
	fi
	boot
	STATE=lost
	[ "$BOOT" = "$C_BOOT" ] || return 0
	if [ -n "$HELD" ] && lives "$HOOK_PID" "$HOOK_START"; then
		STATE=held
	elif word "$H/runner" && lives "$WORD" "$REST"; then
		STATE=starting
	elif word "$H/status"; then
		STATE=ended STATUS=$WORD # it ended while we looked
	fi
}

decide() { # resume|commit: be the first to give the verdict; VERDICT: the one that holds
	ln "$H/v.$1" "$H/verdict" 2>/dev/null
	word "$H/verdict" || die $E_HOST "cannot write the verdict in $H"
	VERDICT=$WORD
}

finally() { # release|resume EPOCH: what becomes of a committed hook; FINAL: the one that holds
	if ! word "$H/final"; then
		printf '%s %s\n' "$1" "$2" >"$H/f.$1" && ln "$H/f.$1" "$H/final" 2>/dev/null
		word "$H/final" || die $E_HOST "cannot write the final word in $H"
	fi
	FINAL=$WORD
}

await() { # [give-up]: until the checkpoint process has ended, at most EXIT_WAIT; one that hangs may be ended
	now
	END=$((NOW + EXIT_WAIT)) AGAIN=${1-}
	while :; do
		look
		case $STATE in starting | held) ;; *) return 0 ;; esac
		now
		if [ "$NOW" -ge "$END" ]; then
			[ "$AGAIN/$STATE" = give-up/starting ] || die $E_RUNNING "the checkpoint process of $N does not end"
			give_up
			AGAIN='' END=$((NOW + EXIT_WAIT))
		fi
		sleep 0.01
	done
}

give_up() { # kill a runtime that hangs before it has saved anything; should it have frozen the tasks, the warden acts
	word "$H/runner" && lives "$WORD" "$REST" || return 0
	RUNNER=$WORD KIDS=
	{ read -r KIDS <"/proc/$RUNNER/task/$RUNNER/children"; } 2>/dev/null
	# shellcheck disable=SC2086
	[ -z "$KIDS" ] || kill -9 $KIDS 2>/dev/null
}

answer() { # OUTCOME: one JSON line, then what the checkpoint command printed first and last
	printf '{"outcome":"%s","status":%s,"waited_ms":%s}\n' "$1" "${STATUS:-null}" "${WAITED:-0}"
	[ ! -s "$H/out" ] || { sed -n 1,20p "$H/out" && sed 1,20d "$H/out" | tail -n 20; }
	[ ! -s "$H/trouble" ] || tail -n 5 "$H/trouble"
}

# --- subcommands ---

cmd_mark() {
	[ $# -eq 6 ] || usage 'mark NAME EPOCH PHASE ROLE RUN PEER'
	is_phase "$3" && is_role "$4" && is_text "$5" && is_text "$6" || usage "not a marker: $*"
	enter "$1" && lock lock && load "$2"
	[ "$PHASE/$3" = fenced/fenced ] || ours "$5" "$2"
	if [ "$2" -eq "$EPOCH" ] && [ "$3" != "$PHASE" ]; then
		# A late, repeated command must not take back what was decided under the same epoch.
		case $ROLE/$PHASE/$3 in
		*/retired/fenced | */fenced/retired | source/committed/retired | source/committed/fenced) ;;
		*/running/reserved | */running/held | */running/verified | */running/committed | \
			*/retired/* | */fenced/* | source/committed/* | */committed/reserved | */committed/held | \
			*/committed/verified | */confirmed/reserved | */confirmed/held | */confirmed/verified)
			die $E_PHASE "$N is $PHASE under epoch $EPOCH here, it cannot become $3 under the same epoch"
			;;
		esac
	fi
	look
	case $STATE/$C_MODE/$3 in
	starting/transactional/held | held/transactional/held | held/transactional/verified) ;;
	starting/* | held/*/running | held/*/reserved) die $E_PHASE "$N is being held here: resume or release it" ;;
	held/transactional/*)
		decide commit # from here on the hook never resumes by itself
		[ "$VERDICT" = commit ] || die $E_RESUMED "$N has already resumed here"
		;;
	esac
	[ "$4" = source ] || unshield # it may run here from now on
	store "$2" "$3" "$4" "$5" "$6"
}

cmd_mend() {
	[ $# -eq 2 ] && is_number "$2" || usage 'mend NAME EPOCH'
	enter "$1" && lock lock
	! read_marker || return 0
	[ -z "$NEWER" ] || die $E_BROKEN "the marker $W/marker must not be replaced: $WHY"
	look
	told
	[ "$2" -ge "$EPOCH" ] || die $E_LOWER "$N had epoch $EPOCH here, refusing epoch $2"
	case $STATE/$C_MODE in held/transactional) decide commit ;; esac # frozen, it stays so until somebody decides
	mv -f "$W/marker" "$W/marker.broken" || die $E_HOST "cannot set $W/marker aside"
	[ "$STATE" = none ] && ROLE=owner || ROLE=source
	store "$2" fenced "$ROLE" - -
}

told() { # EPOCH: the highest that a hold, or what is left of a torn marker, still tells
	EPOCH=$C_EPOCH
	while read -r ONE TWO MORE LINE REST || [ -n "$ONE" ]; do
		if [ "$ONE $TWO $MORE" = "reconciler-marker $FORMAT $N" ] && is_number "$LINE" && [ "$LINE" -gt "$EPOCH" ]; then
			EPOCH=$LINE
		fi
		ONE=
	done <"$W/marker"
}

show_one() {
	N=$1 W=$ROOT/workloads/$1 H=$ROOT/workloads/$1/hook
	read_marker
	look
	[ -z "$WHY" ] || told
	[ "$STATE" = held ] || HELD='' BEAT=''
	now
	printf '{"workload":"%s","epoch":%s,"phase":"%s","role":"%s","run":"%s","peer":"%s","broken":"%s","newer":"%s",' \
		"$N" "$EPOCH" "$PHASE" "$ROLE" "${RUN#-}" "${PEER#-}" "${WHY:+$W/marker: $WHY}" "$NEWER"
	printf '"hook":"%s","held_cs":%s,"silent_cs":%s,"verdict":"%s","final":"%s","status":%s}\n' "$STATE" \
		$((NOW - ${HELD:-NOW})) $((NOW - ${BEAT:-NOW})) "$VERDICT" "$FINAL" "${STATUS:-null}"
}

cmd_show() {
	if [ $# -gt 0 ]; then
		is_name "$1" || usage "not a workload's name: $1"
		[ ! -d "$ROOT/workloads/$1" ] || show_one "$1"
		return
	fi
	set +f
	set -- "$ROOT"/workloads/*
	set -f
	for D; do
		is_name "${D##*/}" && [ -d "$D" ] && show_one "${D##*/}"
	done
	return 0
}

cmd_run() {
	[ $# -ge 5 ] && [ "$4" = -- ] || usage 'run NAME EPOCH PHASES -- ARGV'
	enter "$1" && lock lock && load "$2"
	case ,$3, in
	,any, | *,"$PHASE",*) ;;
	*) die $E_PHASE "$N is in phase $PHASE here (epoch $EPOCH), this needs: $3" ;;
	esac
	shift 4
	carry_out "$@"
}

carry_out() { # ARGV
	# Own session and files instead of the connection's pipes: a controller that dies cannot half-kill it,
	# and a child that stays (conmon) holds neither lock nor connection.
	trap : HUP INT TERM PIPE
	setsid "$@" >"$W/run.out" 2>"$W/run.err" 9>&-
	RC=$?
	[ ! -s "$W/run.out" ] || cat "$W/run.out"
	[ ! -s "$W/run.err" ] || cat "$W/run.err" >&2
	true >"$W/run.out"
	true >"$W/run.err"
	exit $RC
}

cmd_hook() {
	[ $# -eq 2 ] || [ $# -eq 3 ] || [ "$#${4-}" = 4paused ] || usage 'hook NAME FILE [GROUP [paused]]'
	case $2 in '' | */* | *[!A-Za-z0-9.-]*) usage "not a file of $ROOT/bin: $2" ;; esac
	[ $# -eq 2 ] || is_group "$3" || usage "not the name of a cgroup of its own: $3"
	[ -f "$ROOT/bin/$2" ] || die $E_HOST "$ROOT/bin/$2 is missing"
	enter "$1" && lock lock
	ln -sfn "$ROOT/bin/$2" "$W/hook.new" && mv -f "$W/hook.new" "$W/hook.sh" || die $E_HOST "cannot write $W/hook.sh"
	ln -sfn "$0" "$W/hook.new" && mv -f "$W/hook.new" "$W/guard.sh" || die $E_HOST "cannot write $W/guard.sh"
	if [ $# -eq 2 ]; then rm -f "$W/group" && return; fi
	printf '%s\n' "$3${4:+ $4}" >"$W/group.new" && mv -f "$W/group.new" "$W/group" || die $E_HOST "cannot write $W/group"
}

cmd_hold() {
	[ $# -ge 10 ] && [ "$9" = -- ] || usage 'hold NAME EPOCH SILENCE FREEZE MODE FENCE RUN PEER -- ARGV'
	is_number "$3" && is_number "$4" && is_text "$7" && is_text "$8" || usage "not a hold: $1 $2 $3 $4"
	case $5/$6 in transactional/[01] | restore-back/[01]) ;; *) usage "not a mode and fence: $5 $6" ;; esac
	enter "$1" && lock lock && load "$2"
	ours "$7" "$2"
	now
	BEGAN=$NOW
	look
	case $STATE in
	starting | held)
		[ "$C_EPOCH" = "$2" ] && [ "$VERDICT" != resume ] ||
			die $E_PHASE "$N is still being held under epoch $C_EPOCH: resume it first"
		;;
	*)
		case $PHASE in
		none | running | reserved | held | verified) ;;
		*) die $E_PHASE "$N is in phase $PHASE here (epoch $EPOCH), it cannot be held" ;;
		esac
		if [ "$STATE $STATUS $C_EPOCH $PHASE" = "ended 0 $2 held" ]; then
			answer exited # done before; the reply was lost
			return
		fi
		begin "$@"
		;;
	esac
	exec 6<>"$H/notify" 9>&- # from here on others may decide
	ticker "$H/notify" 0.2
	END=$((BEGAN + ($4 + HOLD_WAIT) * 100)) LATE=
	while :; do
		look
		case $STATE in starting) ;; *) break ;; esac
		[ -z "$HELD" ] || break
		now
		if [ "$NOW" -ge "$END" ] && decide resume && [ "$VERDICT" = resume ]; then LATE=1 && break; fi
		read -r _ <&6
	done
	kill "$TICKER" 2>/dev/null
	[ -z "$LATE" ] || die $E_RUNNING "the checkpoint command of $N saves nothing within $4 s; it is to be given up"
	now
	WAITED=$(((NOW - BEGAN) * 10))
	case $STATE/$VERDICT in
	starting/* | held/resume) answer resumed ;; # the hook has let go, or is about to
	held/*) answer held ;;
	*) answer exited ;;
	esac
}

begin() { # the arguments of hold: marker first, then the checkpoint command
	unshield
	rm -rf "$H" && mkdir "$H" && mkfifo "$H/wake" "$H/notify" "$H/alive" || die $E_HOST "cannot make $H"
	boot
	printf 'resume %s\n' "$2" >"$H/v.resume" && printf 'commit %s\n' "$2" >"$H/v.commit" &&
		printf '%s %s %s %s %s %s\n' "$2" "$3" "$4" "$6" "$5" "$BOOT" >"$H/conf" &&
		word "$H/conf" && [ "$WORD" = "$2" ] || die $E_HOST "cannot write in $H"
	store "$2" held source "$7" "$8"
	trap : HUP INT TERM PIPE
	HOLD=$H
	shift 9
	# shellcheck disable=SC2086
	setsid $SH "$0" runner "$HOLD" "$@" </dev/null >/dev/null 2>&1 9>&- &
	lives $! && printf '%s %s\n' $! "$STARTED" >"$H/runner"
}

cmd_runner() { # HOOKDIR ARGV: outlives the connection
	H=$1
	shift
	trap : HUP INT TERM PIPE
	"$@" >"$H/out" 2>&1
	RC=$?
	# A CRIU that was killed in the middle: the warden lets its tasks run, once their connections are unlocked.
	if [ "$RC" != 0 ] && [ ! -e "$H/unlocked" ] && [ ! -e "$H/joined" ]; then warden_gone; fi
	# CRIU leaves a cgroup as it found it, and the hook had frozen it: whatever still runs there runs on. Not where
	# CRIU was killed over complete images: its sockets would stay locked.
	[ -e "$H/kept" ] || ! word "$H/cgroup" || printf '0\n' >"$WORD/cgroup.freeze"
	printf '%s\n' $RC >"$H/status"
	poke "$H/notify"
}

warden_gone() { # what it does may take long where much is to be put back, but has an end
	word "$H/warden" || return 0
	ONE=$WORD TWO=$REST
	now
	END=$((NOW + EXIT_WAIT))
	while lives "$ONE" "$TWO" && [ "$NOW" -lt "$END" ]; do
		sleep 0.02
		now
	done
}

cmd_beat() {
	now
	for N; do
		is_name "$N" || usage "not a workload's name: $N"
		W=$ROOT/workloads/$N H=$ROOT/workloads/$N/hook
		[ ! -e "$H/conf" ] || printf '%s\n' "$NOW" >"$H/beat"
		look
		printf '{"workload":"%s","hook":"%s","verdict":"%s"}\n' "$N" "$STATE" "$VERDICT"
	done
}

cmd_commit() {
	[ $# -eq 2 ] || usage 'commit NAME EPOCH'
	enter "$1" && lock lock && load "$2"
	look
	[ "$VERDICT $C_EPOCH" != "resume $2" ] || die $E_RESUMED "$N has already resumed here"
	[ "$2" -eq "$EPOCH" ] || die $E_NOTHELD "$N is not held here under epoch $2, but $PHASE under $EPOCH"
	case $PHASE in
	held | verified) ;;
	committed) sync "$W" && return ;;
	*) die $E_PHASE "$N is in phase $PHASE here (epoch $EPOCH), it cannot be committed" ;;
	esac
	case $STATE/$C_MODE in
	held/transactional)
		decide commit
		[ "$VERDICT" = commit ] || die $E_RESUMED "$N has already resumed here"
		;;
	ended/*) [ "$STATUS" = 0 ] || unheld "$2" "the checkpoint of $N failed with status $STATUS" ;;
	lost/restore-back) die $E_NOTHELD "the checkpoint of $N was cut off" ;;
	*) unheld "$2" "$N is not held here: its hook is $STATE" ;;
	esac
	store "$2" committed source "$RUN" "$PEER"
}

unheld() { # EPOCH TEXT: it may have resumed since its verdict was looked for
	! word "$H/verdict" || [ "$WORD $REST" != "resume $1" ] || die $E_RESUMED "$N has already resumed here"
	die $E_NOTHELD "$2"
}

cmd_release() {
	[ $# -eq 2 ] || usage 'release NAME EPOCH'
	enter "$1" && lock lock && load "$2"
	look
	case $STATE in
	starting | held)
		case $PHASE in committed | retired | fenced) ;; *) die $E_PHASE "$N is in phase $PHASE here, not committed" ;; esac
		finally release "$2"
		[ "$FINAL" = release ] || die $E_RESUMED "$N was told to resume here"
		poke "$H/wake"
		await
		;;
	esac
	case $STATE in ended) answer exited ;; *) answer gone ;; esac
}

cmd_resume() {
	[ $# -eq 2 ] || { [ $# -eq 3 ] && is_text "$3"; } || usage 'resume NAME EPOCH [RUN]'
	enter "$1" && lock lock && load "$2"
	ours "${3:--}" $(($2 - 1)) # going back has the epoch after the hand-over's
	look
	case $PHASE in
	committed)
		# A higher epoch is no proof that nothing runs at the other side: who has it marks this verified first.
		die $E_COMMITTED "$N is committed under epoch $EPOCH here: the other side has to be fenced first"
		;;
	retired) die $E_COMMITTED "$N is retired under epoch $EPOCH here: nothing is left of it that could resume" ;;
	fenced)
		[ "$2" -gt "$EPOCH" ] ||
			die $E_COMMITTED "$N is fenced under epoch $EPOCH here: only a higher epoch brings it back"
		;;
	esac
	case $STATE in
	starting | held)
		[ -n "$VERDICT" ] || decide resume
		if [ "$VERDICT" = commit ]; then
			[ "$2" -gt "$C_EPOCH" ] || die $E_COMMITTED "$N is committed under epoch $C_EPOCH here"
			[ "$FINAL" != release ] || die $E_NOTHELD "$N was already released here"
			store "$2" held source "$RUN" "$PEER"
			finally resume "$2"
			[ "$FINAL" = resume ] || die $E_NOTHELD "$N was already released here"
		fi
		poke "$H/wake"
		await give-up
		;;
	esac
	case $STATE in
	ended)
		end_kept
		OUTCOME=resumed
		[ "$STATUS" != 0 ] && [ ! -e "$H/killed" ] || OUTCOME=gone
		;;
	lost) OUTCOME=gone ;;
	*) case $PHASE in held | verified | committed | retired | fenced) OUTCOME=gone ;; *) OUTCOME=running ;; esac ;;
	esac
	unshield
	if [ "$OUTCOME" = gone ]; then
		# Nothing frozen is left to wake up: the images are the way back, under this epoch.
		store "$2" held source "$RUN" "$PEER"
	else
		store "$2" running owner "$RUN" "$PEER"
	fi
	answer "$OUTCOME"
}

end_kept() { # tasks that stay frozen although neither CRIU nor its hook lives: only their images help them
	word "$H/kept" && lives "$WORD" "$REST" || return 0
	ONE=$WORD TWO=$REST
	printf 'neither CRIU nor its hook was left\n' >"$H/killed"
	kill -9 "$ONE"
	now
	END=$((NOW + EXIT_WAIT))
	while lives "$ONE" "$TWO"; do
		now
		[ "$NOW" -lt "$END" ] || die $E_RUNNING "the frozen tasks of $N do not end: the kernel holds process $ONE"
		sleep 0.003
	done
}

unshield() { # what a hook that was killed has left: peers would be told that nobody is here
	if word "$H/shielded"; then nft delete table netdev "$WORD" 2>/dev/null; fi
	rm -f "$H/shielded"
}

# --- what a person, a unit or a boot starts without the guard ---

LAST_WORD="see: reconcile status. A person decides with: reconcile resolve"

belongs_here() {
	case $ROLE/$PHASE in
	*/none | */running | */confirmed) ;;
	source/reserved) ;; # it still runs here, and may be restarted
	*) return 1 ;;
	esac
}

cmd_boot() {
	[ $# -ge 3 ] && [ "$2" = -- ] || usage 'boot NAME -- ARGV'
	is_name "$1" || usage "not a workload's name: $1"
	[ -d "$ROOT/workloads/$1" ] || exit 0
	LOCK_WAIT=$BOOT_WAIT
	enter "$1" && lock lock && load
	belongs_here || die $E_PHASE "$N does not start on this host: it is $PHASE here (epoch $EPOCH, peer $PEER); $LAST_WORD"
	shift 2
	carry_out "$@"
}

cmd_may_start() { # a container's OCI state is on stdin; with user namespaces the marker cannot be read: then it may
	CONFIG=$(sed -n 's|.*"org\.criu\.config\(/[^"]*\)\{0,1\}" *: *"\([^"]*\)".*|\2|p')
	W=${CONFIG%/*}
	H=$W/hook N=${W##*/}
	[ "$W" = "$ROOT/workloads/$N" ] && is_name "$N" && [ -x "$ROOT/workloads" ] || exit 0
	read_marker || die $E_BROKEN "$N may not start: the marker $W/marker cannot be trusted: $WHY; $LAST_WORD"
	belongs_here || die $E_PHASE "$N may not start on this host: it is $PHASE here (epoch $EPOCH, peer $PEER); $LAST_WORD"
}

cmd_may_restore() {
	[ $# -eq 1 ] && is_name "$1" || usage 'may-restore NAME'
	N=$1 W=$ROOT/workloads/$1 H=$ROOT/workloads/$1/hook
	load
	case $PHASE in
	none | running | confirmed) ;;
	*) die $E_PHASE "$N may not be restored by hand on this host: it is $PHASE here (epoch $EPOCH); $LAST_WORD" ;;
	esac
}

cmd_clean() {
	[ $# -eq 1 ] || usage 'clean NAME'
	enter "$1" && lock lock && load
	look
	case $STATE in starting | held) die $E_PHASE "$N is being held here" ;; esac
	[ "$PHASE" = none ] || store "$EPOCH" "$PHASE" "$ROLE" "$RUN" "$PEER"
	unshield
	rm -rf "$H" "$W/run.out" "$W/run.err" "$W/marker.new"
}

# --- leases: the boot id is in the file's name, so that a reboot voids them all ---

lease_read() { # L_OWNER L_SINCE L_LEFT; fails when nobody holds it. L_LEFT <= 0: expired
	L_OWNER='' L_SINCE=0 L_LEFT=0
	boot
	L=$W/lease.$BOOT
	[ -e "$L" ] || return 1
	ONE=
	{ read -r ONE <"$L"; } 2>/dev/null
	# shellcheck disable=SC2086
	set -- $ONE
	[ $# -eq 6 ] && [ "$1 $6" = 'reconciler-lease end' ] && is_text "$2" && is_number "$3" && is_number "$4" &&
		is_number "$5" || die $E_BROKEN "the lease $L cannot be trusted"
	now
	L_OWNER=$2 L_SINCE=$3 L_BEAT=$4 L_TTL=$5
	L_LEFT=$((L_BEAT + L_TTL - NOW))
}

lease_write() { # OWNER SINCE TTL
	now
	printf 'reconciler-lease %s %s %s %s end\n' "$1" "$2" "$NOW" "$3" >"$W/lease.new" &&
		word "$W/lease.new" && mv -f "$W/lease.new" "$L" || die $E_HOST "cannot write $L"
}

cmd_lease() {
	[ $# -ge 2 ] || usage 'lease take|beat|drop|show NAME [OWNER] [TTL]'
	enter "$2" && lock lease.lock
	[ "$1" = show ] || { [ $# -ge 3 ] && is_text "$3"; } || usage "lease $1 needs an owner"
	lease_read
	OTHER="$L_OWNER holds the lease on $N since $L_SINCE"
	case $1 in
	take)
		[ $# -eq 4 ] && is_number "$4" || usage 'lease take NAME OWNER TTL'
		if [ "$L_OWNER" != "$3" ]; then
			[ -z "$L_OWNER" ] || [ "$L_LEFT" -le 0 ] || die $E_LEASED "$OTHER"
			set +f
			rm -f "$W"/lease.*-*
			set -f
			L_SINCE=$(date +%s)
		fi
		lease_write "$3" "$L_SINCE" $(($4 * 100))
		;;
	beat)
		[ -n "$L_OWNER" ] || OTHER="nobody holds the lease on $N any more"
		[ "$L_OWNER" = "$3" ] || die $E_LEASED "$OTHER"
		lease_write "$3" "$L_SINCE" "$L_TTL"
		;;
	drop)
		[ -z "$L_OWNER" ] && return
		[ "$L_OWNER" = "$3" ] || [ "$L_LEFT" -le 0 ] || die $E_LEASED "$OTHER"
		[ "$L_OWNER" != "$3" ] || rm -f "$L"
		;;
	show) printf '{"workload":"%s","owner":"%s","since":%s,"left_cs":%s}\n' "$N" "$L_OWNER" "$L_SINCE" "$L_LEFT" ;;
	*) usage "no such lease command: $1" ;;
	esac
}

[ $# -gt 0 ] || usage 'no subcommand'
CMD=$1
shift
case $CMD in
mark | mend | show | run | boot | hook | hold | runner | beat | commit | release | resume | clean | lease) "cmd_$CMD" "$@" ;;
may-start) cmd_may_start ;;
may-restore) cmd_may_restore "$@" ;;
*) usage "no such subcommand: $CMD" ;;
esac
