# shellcheck shell=bash disable=SC2154
# The part of the demonstration that is about labels; demo.sh reads it. Each refusal stands beside the same
# act allowed.

# Users of every Debian, through a copy of the client that they may run: `as USER zone ...`.
as() {
  local user=$1
  shift
  printf '\033[32m%s$\033[0m %s\n' "$user" "$*"
  (cd / && PATH="$root/client:$PATH" setpriv --reuid "$user" --regid nogroup --clear-groups "$@")
}
deny() { # WORDS COMMAND...: must fail with these words
  local words=$1 said
  shift
  if said=$("$@" 2>&1); then
    echo "$said"
    fail "not refused: $*"
  fi
  echo "$said"
  grep -q -- "$words" <<<"$said" || fail "refused for another reason than '$words'"
}
# The audit log's last record of that method on that zone; it has to be a refusal, or not.
recorded() { zone --json audit --zone "$1" | jq -se "map(select(.method == \"$2\")) | last | .allowed == $3"; }
record() { # ZONE METHOD ALLOWED
  wait_for 5 recorded "$@" || fail "no audit record of $2 on $1"
  printf '\033[32m$\033[0m zone audit --zone %s | grep %s | tail -n 1\n' "$1" "$2"
  zone audit --zone "$1" | grep "  $2  " | tail -n 1
}
address_of() { zone --json net ports "$1" | jq -r '.[0].addresses[0]'; }
prints() { printf 'command=["/bin/sh","-c","echo %s; exec sleep 100000"]' "$1"; }
received() { zone --json net ports "$1" | jq '.[0].rx_packets // .[0].rx_bytes'; }
label_refused() { zone --json net ports "$1" | jq '.[0].refused.denied'; }

heading "Labels: zones PUBLIC and SECRET, and a SECRET virtual machine"
mkdir -p "$root/client" "$root/tree/export" "$root/tree/srv"
chmod 0711 "$root" && chmod 0755 "$root/client"
install -m 0755 "$build/zone" "$root/client/zone"
run zone label list
run zone label dominates "SECRET ENG" PUBLIC
deny "dominated" run zone label dominates PUBLIC "SECRET ENG"
run zone user set games clearance=PUBLIC
run zone user set mail "clearance=SECRET ENG"
run zone user set lp "clearance=SECRET ENG" grants=upgrade,downgrade
admins=(--set admin.0.user=games --set 'admin.0.auths=["login","manage"]' --set admin.1.user=lp --set 'admin.1.auths=["login","manage"]' --set admin.2.user=mail --set 'admin.2.auths=["login","manage"]')
run zone create pub --set "$(prints "this is pub")" --set label=PUBLIC --set net.0.network=demo "${admins[@]}" --from "dir:$root/tree" --boot
run zone create pub2 --set "$(prints "this is pub2")" --set label=PUBLIC --set net.0.network=demo "${admins[@]}" --from "dir:$root/tree" --boot
run zone create sec --set "$(prints "this is sec")" --set "label=SECRET ENG" --set net.0.network=demo "${admins[@]}" --from "dir:$root/tree" --boot
run zone create secvm --brand vm --set "label=SECRET ENG" --set vm.memory=256M --set vm.video=std --set net.0.network=demo "${admins[@]}" --from "kernel:$guest/vmlinuz,initrd=$guest/initrd" --boot
run zone list pub pub2 sec secvm

heading "Reading down, and not writing"
run zone exec pub -- /bin/sh -c 'echo "news from pub" >/export/news'
run zone exec sec -- /bin/cat /zone/pub/export/news | tee "$root/page"
grep -qx "news from pub" "$root/page" || fail "not what the lower zone has written"
deny "Read-only file system" run zone exec sec -- /bin/sh -c 'echo leak >/zone/pub/export/news'
record sec WriteDown false
run zone exec sec -- /bin/sh -c 'echo kept >/srv/news'
deny "No such file" run zone exec pub -- /bin/cat /zone/sec/export/news
[ "$(zone exec pub -- /bin/cat /export/news)" = "news from pub" ] || fail "the lower zone's file has changed"

heading "Packets"
run zone exec pub2 -- /bin/ping -c 1 -W 2 "$(address_of pub)"
before=$(label_refused sec)
deny "100% packet loss" run zone exec sec -- /bin/ping -c 1 -W 1 "$(address_of pub)"
[ "$(label_refused sec)" -gt "$before" ] || fail "the port has not counted it"
run zone net ports sec
record sec Packet false
wait_for 60 said secvm 'guest: ready' || fail "the guest did not get to its prompt"
wait_for 30 said secvm 'lease: eth0' || fail "the guest got no address"
said secvm 'label SECRET ENG' || fail "the guest can't read its label"
typed() { # COMMAND: at the guest's console
  echo "typed at the guest's console: $1"
  : >"$root/typed"
  # shellcheck disable=SC2094  # what comes tells when to end
  (sleep 0.5; echo "$1; echo do''ne"; wait_for 20 grep -aq '^done' "$root/typed") | timeout 25 zone console secvm >"$root/typed" || true
  tr -d '\r' <"$root/typed" | grep -a "packets transmitted" || fail "the guest has not pinged"
}
typed "ping -c 1 -W 2 $(address_of sec)"
tr -d '\r' <"$root/typed" | grep -aq ' 0% packet loss' || fail "equal labels don't reach each other"
# The host does not even say to a guest that the address exists.
before=$(received pub)
typed "ping -c 1 -W 1 $(address_of pub)"
tr -d '\r' <"$root/typed" | grep -aq '100% packet loss' || fail "the guest has reached a lower zone"
[ "$(received pub)" = "$before" ] || fail "something has arrived below"

heading "The console, from below and from its own label"
zone logs secvm | tr -d '\r' | grep -a '^guest:'
deny "no such zone" as games zone logs sec
deny "no such zone" as games zone console secvm
deny "no such zone" as games zone logs not-there
record sec Logs false
record secvm Console false
as games timeout 1 zone console pub </dev/null || true
record pub Console true
as games zone logs pub
record pub Logs true
as lp zone logs sec
as lp zone list

heading "Copies up and down"
zone exec pub -- /bin/sh -c 'echo "from below" >/srv/up'
zone exec sec -- /bin/sh -c 'echo "the harmless part" >/srv/down; echo "the secret part" >/srv/secret'
run zone copy pub:/srv/up pub2:/srv/up
[ "$(zone exec pub2 -- /bin/cat /srv/up)" = "from below" ] || fail "nothing was copied between equal labels"
deny "no such zone" as games zone copy pub:/srv/up sec:/srv/up
deny "upgrade" as mail zone copy pub:/srv/up sec:/srv/up
record sec Copy false
as lp zone copy pub:/srv/up sec:/srv/up
deny "--yes" as lp zone copy sec:/srv/down pub:/srv/down </dev/null
zone exec pub -- /bin/cat /srv/down 2>/dev/null && fail "it went down unconfirmed"
as lp zone copy --yes sec:/srv/down pub:/srv/down
[ "$(zone exec pub -- /bin/cat /srv/down)" = "the harmless part" ] || fail "nothing was copied down"
record pub CopyConfirm true
run zone user set lp grants=
deny "downgrade" as lp zone copy --yes sec:/srv/secret pub:/srv/secret
zone exec pub -- /bin/cat /srv/secret 2>/dev/null && fail "it went down without a grant"
record pub Copy false
run zone audit verify

heading "The machine's screen, in a frame of its label"
mkdir -p "$root/screen"
Xvfb -displayfd 3 -screen 0 1100x820x24 -fbdir "$root/screen" -nolisten tcp 3>"$root/screen/number" 2>/dev/null &
x_server=$!
wait_for 10 test -s "$root/screen/number" || fail "no X server"
DISPLAY=:$(cat "$root/screen/number") zone view secvm >/dev/null 2>&1 &
viewer=$!
photo() { xwdtopnm "$root/screen/Xvfb_screen0" 2>/dev/null >"$root/screen/photo.pnm"; }
pixel() { pamcut -left "$1" -top "$2" -width 1 -height 1 "$root/screen/photo.pnm" | pnmtoplainpnm | tail -n 1; }
colour=$(zone --json label list | jq -r '.classifications[] | select(.name == "SECRET").colour')
framed() {
  local red green blue
  photo && read -r red green blue < <(pixel 5 5) && [ "$(printf '#%02x%02x%02x' "$red" "$green" "$blue")" = "$colour" ]
}
wait_for 20 framed || fail "the frame does not have the label's colour $colour: $(pixel 5 5)"
pnmtopng "$root/screen/photo.pnm" >"$pictures/view.png" 2>/dev/null
echo "the picture is $pictures/view.png"
kill "$viewer" "$x_server"
wait "$viewer" "$x_server" 2>/dev/null || true
run zone delete -F pub pub2 sec secvm
