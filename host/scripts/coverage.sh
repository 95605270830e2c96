#!/bin/sh
# Which rows of bt/insn.def the tests run: the test runners with a ringone that lists what it has
# translated. Fails when a row stays unused. Usage: coverage.sh RINGONE OUTPUT-FOLDER
set -eu
ringone=$(realpath "$1")
out=$2
rm -rf "$out"
mkdir -p "$out"
out=$(realpath "$out")

cat >"$out/ringone" <<END
#!/bin/sh
exec "$ringone" "\$@" -coverage "$out/\$\$.rows"
END
chmod +x "$out/ringone"

export RINGONE="$out/ringone"
tests/insn/run --cases 20000
tests/guest/run

awk -v report="$out/report.txt" '
    { seen[$2] += $1 }
    END {
        for (row in seen) {
            rows++
            if (seen[row])
                used++
            else
                print "not run by any test: " row > "/dev/stderr"
            print seen[row], row > report
        }
        printf "instruction table: %d rows, %d run by tests (%.1f %%)\n", rows, used, 100 * used / rows
        printf "coverage: %d passed, %d failed\n", used, rows - used
        exit rows != used
    }' "$out"/*.rows
