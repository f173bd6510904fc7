#!/bin/bash
# interop-table.sh RESULTS: what the interop labs saw (peer, feature, outcome; tab between) as the page docs/interop.md.
set -e
awk -F'\t' '
    # A note begins with the name of the daemon.
    function named(name, text) { return index(text, name) == 1 ? text : name ": " text }
    { if (!($1 in peer)) { peer[$1] = 1 } if (!($2 in seen)) { seen[$2] = 1; features[++count] = $2 } outcome[$1, $2] = $3 }
    END {
        names[1] = "BIRD 2"; names[2] = "FRR"; names[3] = "GoBGP"; names[4] = "OpenBGPD"; names[5] = "ExaBGP"
        print "# Interoperation\n"
        print "Each feature with each daemon that has it, from Debian 12: BIRD 2.0.12, FRR 8.4, GoBGP 3.10, OpenBGPD 7.7, ExaBGP 4.2. Written by the labs in"
        print "`Tests/LabTests/Interop` (`make interop`), which run with every `make test`; it fails where this page says something else than they saw.\n"
        print "*holds*: the session came up with the feature; both tables had the routes of the other side with next hop, AS_PATH, communities and large communities as they"
        print "should be, our kernel had them too, and what the feature promises was seen. A note (n) says why a cell is empty.\n"
        line = "| feature |"; rule = "|---|"
        for (i = 1; i <= 5; i++) { line = line " " names[i] " |"; rule = rule "---|" }
        print line; print rule
        # The order of the first daemon, which runs them one after another.
        for (f = 1; f <= count; f++) {
            line = "| " features[f] " |"
            for (i = 1; i <= 5; i++) {
                text = outcome[names[i], features[f]]
                if (text == "") text = "not run"
                cell = text
                if (text ~ /^–/) { note[++notes] = named(names[i], substr(text, 5)); cell = "– (" notes ")" }
                else if (match(text, / \(.*\)$/)) { note[++notes] = named(names[i], substr(text, RSTART + 2, RLENGTH - 3)); cell = substr(text, 1, RSTART - 1) " (" notes ")" }
                line = line " " cell " |"
            }
            print line
        }
        print ""
        for (n = 1; n <= notes; n++) print n ". " note[n]
    }' <(sort -s -t$'\t' -k1,1 "$1" | awk -F'\t' '$1 == "BIRD 2"'; awk -F'\t' '$1 != "BIRD 2"' "$1")
