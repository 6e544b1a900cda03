#!/usr/bin/env bash
# Builds, serves and tests Glassbox; "./build.sh help" lists the commands.
#
# Runs on Debian, Ubuntu and macOS, whose bash is 3.2 and whose tools are BSD's: no associative
# arrays, no mapfile, no GNU options.
set -euo pipefail

caller_dir=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")"
PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

wasm=wasm32-unknown-unknown
wasm_pack_version=0.15.1
target_dir=${CARGO_TARGET_DIR:-target}
all_parts="check native js web build e2e"

usage() {
  cat <<'TEXT'
usage: ./build.sh COMMAND [OPTIONS]

  serve [--port N] [--data DIR]  build and serve the page on 127.0.0.1; sets up what is missing
  test [PART...]                 all tests, or some of: check native js web build e2e
  setup                          install what serve and test need
  data [--data DIR] [NAME...]    put mnist or fashion-mnist into www/data; without a name
                                 MNIST, and whatever else DIR holds
  build [--dev]                  compile both bundles into www/pkg, optimised but without LTO
  check                          formatting, lints, documentation and types, nothing run
  bench [ARGS...]                native benchmarks; ARGS go to cargo bench
  bench browser [MODE] [--dist] [OPTIONS]
                                 beside other libraries in headless Chromium; MODE: steps, curve,
                                 scaling, memory, cold; --help lists the options
  dist [--with-data]             dist/: the page for any static host, with LTO, wasm-opt and
                                 compressed copies; takes minutes
  help                           this text

  --data DIR    a folder with mnist/ and fashion-mnist/, the four .gz files in each; or set
                GLASSBOX_DATA=DIR. Without it, datasets are downloaded from public mirrors.
  --dev         (build, serve) keep function names and wasm-bindgen's checks in the bundles, for
                readable stack traces; the compiled code is the same
  --dist        (serve, bench browser) take dist/ in place of www/

CHROMIUM and CHROMEDRIVER name the browser and its driver where they are not found by themselves.
CARGO_TARGET_DIR is respected.
TEXT
}

say() { printf '%s\n' "$*"; }
die() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# --- Set-up: each function makes sure of one thing, and says when it has to install it ---

setup_node() {
  have node || die "Node.js 20.11 or newer is needed: https://nodejs.org/"
  have npm || die "npm is needed; it comes with Node.js, or as the package npm"
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 11) ? 0 : 1)' ||
    die "Node.js 20.11 or newer is needed; this is $(node --version)"
}

# npm_packages FOLDER: those of the package-lock.json in it.
npm_packages() {
  local lock
  lock=$(cksum <"$1/package-lock.json")
  [ "$(cat "$1/node_modules/.glassbox-lock" 2>/dev/null)" = "$lock" ] && return
  say "npm: installing the packages of $1/package-lock.json"
  (cd "$1" && npm ci)
  printf '%s' "$lock" >"$1/node_modules/.glassbox-lock"
}

setup_npm() {
  setup_node
  npm_packages .
  copy_vendor
}

# The page's one library. Its types lie beside it, where tsc looks for them.
copy_vendor() {
  local from=node_modules/uplot
  cmp -s $from/dist/uPlot.esm.js www/vendor/uPlot.esm.js && [ -f www/vendor/uPlot.LICENSE ] && return
  say "npm: copying uPlot into www/vendor"
  mkdir -p www/vendor
  cp $from/dist/uPlot.min.css www/vendor/
  cp $from/dist/uPlot.d.ts www/vendor/uPlot.esm.d.ts
  cp $from/dist/uPlot.esm.js www/vendor/
  cp $from/LICENSE www/vendor/uPlot.LICENSE
}

# rustup may be set not to install by itself (RUSTUP_AUTO_INSTALL=0), so each part is asked for.
setup_rust() {
  have rustup || die "rustup is needed: https://rustup.rs/"
  have cc || die "a C compiler is needed as linker: the package build-essential, or on macOS: xcode-select --install"
  local channel component
  channel=$(sed -n 's/^channel = "\(.*\)"/\1/p' rust-toolchain.toml)
  # Not grep -q, which would break the pipe and so, under pipefail, look like "not there".
  if ! rustup toolchain list | grep "^$channel" >/dev/null; then
    say "rust: installing $channel"
    rustup toolchain install "$channel" --profile minimal || die "rustup could not install Rust $channel"
  fi
  for component in clippy rustfmt; do
    rustup component list --toolchain "$channel" --installed | grep "^$component" >/dev/null && continue
    say "rust: adding $component"
    rustup component add --toolchain "$channel" $component || die "rustup could not add $component to Rust $channel"
  done
  if ! rustup target list --toolchain "$channel" --installed | grep "^$wasm" >/dev/null; then
    say "rust: adding the target $wasm"
    rustup target add --toolchain "$channel" $wasm || die "rustup could not add the target $wasm to Rust $channel"
  fi
}

# cargo_tool NAME VERSION: a prebuilt one where cargo-binstall is there, else compiled. Not with
# --locked: wasm-bindgen-cli 0.2.130 does not install with the lockfile that it carries.
cargo_tool() {
  say "rust: installing $1 $2 (takes minutes where it has to be compiled)"
  if cargo binstall -V >/dev/null 2>&1 && cargo binstall --no-confirm "$1@$2"; then return; fi
  # Outside of target/, whose artifacts it would not share.
  env -u CARGO_TARGET_DIR cargo install "$1" --version "$2" || die "cargo could not install $1 $2"
}

# wasm-bindgen's two halves, the crate and the tool, must be of one version.
setup_wasm_bindgen() {
  setup_rust
  local version
  version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/[^0-9.]/, ""); print; exit }' Cargo.lock)
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ] || cargo_tool wasm-bindgen-cli "$version"
}

setup_wasm_pack() {
  setup_wasm_bindgen
  have wasm-pack || cargo_tool wasm-pack $wasm_pack_version
}

# first_of PATH...: the first that there is, as a full path.
first_of() {
  local candidate
  for candidate in "$@"; do
    command -v "$candidate" 2>/dev/null && return
  done
  return 1
}

find_browser() {
  local mac=/Applications
  [ -n "${CHROMIUM:-}" ] ||
    CHROMIUM=$(first_of chromium chromium-browser google-chrome google-chrome-stable \
      "$mac/Chromium.app/Contents/MacOS/Chromium" "$mac/Google Chrome.app/Contents/MacOS/Google Chrome") || return 1
  [ -n "${CHROMEDRIVER:-}" ] ||
    CHROMEDRIVER=$(first_of chromedriver chromium.chromedriver /usr/lib/chromium-browser/chromedriver) || return 1
}

# as_root COMMAND...: fails rather than asking for a password.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

install_browser() {
  if have apt-get && as_root true 2>/dev/null; then
    say "browser: installing Chromium and ChromeDriver (apt-get)"
    as_root apt-get update || return 1
    # Debian's names, then Ubuntu's.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y chromium chromium-driver ||
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y chromium-browser chromium-chromedriver
  elif have brew; then
    say "browser: installing Chromium and ChromeDriver (brew)"
    brew install --cask chromium chromedriver
  else
    return 1
  fi
}

major_of() { "$1" --version 2>/dev/null | sed -n 's/^[^0-9]*\([0-9][0-9]*\)\..*/\1/p'; }

setup_browser() {
  local tool
  find_browser || { install_browser && find_browser; } ||
    die "Chromium and its ChromeDriver are needed: the packages chromium and chromium-driver, or set CHROMIUM and CHROMEDRIVER"
  for tool in "$CHROMIUM" "$CHROMEDRIVER"; do
    have "$tool" || die "there is no $tool (CHROMIUM, CHROMEDRIVER)"
  done
  [ "$(major_of "$CHROMIUM")" = "$(major_of "$CHROMEDRIVER")" ] ||
    die "$CHROMIUM is version $(major_of "$CHROMIUM") and $CHROMEDRIVER $(major_of "$CHROMEDRIVER"): install them of one version"
  export CHROMIUM CHROMEDRIVER
}

setup_all() {
  setup_npm
  setup_wasm_pack
  setup_browser
  say "set-up: complete"
}

# --- Data and bundles ---

# put_data [NAME...]: non-zero when a dataset could not be had.
put_data() {
  setup_node
  if [ -n "${GLASSBOX_DATA:-}" ]; then
    node scripts/data.mjs --from "$GLASSBOX_DATA" "$@"
  else
    node scripts/data.mjs "$@"
  fi
}

# One line that changes when a file of those listed on stdin does. cksum is what every system has.
state_of_files() { LC_ALL=C sort | xargs cksum | cksum; }

# All that a bundle is compiled from, and how.
bundle_state() {
  { find src .cargo -type f && printf '%s\n' Cargo.toml Cargo.lock rust-toolchain.toml; } | state_of_files
  declare -f build_bundle optimise | cksum
}

# build_bundle cpu|gpu plain|dev|dist FOLDER
#
# Both bundles are the same file to cargo, which compiles the crate anew when the features change:
# what is up to date is therefore known by a stamp, and cargo is not asked.
build_bundle() {
  local name=$1 flavour=$2 out=$3 stamp features="--no-default-features" profile=dev built=debug bindgen=""
  stamp="$flavour $(bundle_state)"
  if [ "$(cat "$out/.stamp" 2>/dev/null)" = "$stamp" ]; then
    say "bundle $name: up to date"
    return
  fi
  say "bundle $name: compiling ($flavour)"
  case $name in gpu) features="$features --features gpu" ;; esac
  case $flavour in
    plain) bindgen="--remove-name-section" ;;
    dev) bindgen="--debug" ;;
    dist) profile=release built=release bindgen="--remove-name-section --remove-producers-section --no-typescript" ;;
  esac
  # shellcheck disable=SC2086 # lists of words
  cargo build --lib --target $wasm --profile $profile $features
  rm -rf "$out"
  # shellcheck disable=SC2086
  wasm-bindgen --target web $bindgen --out-name glassbox --out-dir "$out" "$target_dir/$wasm/$built/glassbox.wasm"
  case $flavour in dist) optimise "$out/glassbox_bg.wasm" ;; esac
  printf '%s' "$stamp" >"$out/.stamp"
}

# optimise FILE: a little, since LLVM did the rest: higher levels make a file that is smaller as it is
# and larger compressed (docs/performance.md). The features are named: --all-features would let
# wasm-opt emit what browsers do not have.
optimise() {
  say "wasm-opt: $1"
  node_modules/.bin/wasm-opt "$1" -o "$1.opt" -O1 \
    --enable-simd --enable-bulk-memory --enable-sign-ext --enable-mutable-globals \
    --enable-nontrapping-float-to-int --enable-reference-types --enable-multivalue \
    --strip-debug --strip-producers --strip-target-features
  mv "$1.opt" "$1"
}

# build_page plain|dev
build_page() {
  setup_npm
  setup_wasm_bindgen
  build_bundle cpu "$1" www/pkg/cpu
  build_bundle gpu "$1" www/pkg/gpu
}

# make_dist [--with-data]
make_dist() {
  local bundles="$target_dir/bundles" stamp
  setup_npm
  setup_wasm_bindgen
  build_bundle cpu dist "$bundles/cpu"
  build_bundle gpu dist "$bundles/gpu"
  if [ "${1:-}" = --with-data ]; then put_data || die "dist --with-data needs the dataset"; fi
  stamp="${1:-} $(find www "$bundles" -type f ! -path 'www/pkg/*' ! -name .dist-stamp | state_of_files)"
  if [ -d dist ] && [ "$(cat "$bundles/.dist-stamp" 2>/dev/null)" = "$stamp" ]; then
    say "dist: up to date"
  else
    assemble_dist "$@"
    printf '%s' "$stamp" >"$bundles/.dist-stamp"
  fi
}

# assemble_dist [--with-data]
assemble_dist() {
  local entry
  say "dist: putting the page together, with compressed copies"
  rm -rf dist
  mkdir -p dist/pkg
  for entry in www/*; do
    case $entry in www/pkg | www/data) ;; *) cp -R "$entry" dist/ ;; esac
  done
  cp -R "$target_dir/bundles/cpu" "$target_dir/bundles/gpu" dist/pkg/
  cp LICENSE dist/
  find dist -type f \( -name '.*' -o -name '*.d.ts' \) -exec rm {} +
  node scripts/precompress.mjs dist
  case ${1:-} in --with-data) cp -R www/data dist/ ;; esac
  say "dist: dist/ is ready, $(du -sk dist | cut -f 1) KiB with the compressed copies"
}

# --- Serving ---

is_port_taken() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local candidate
  for candidate in $(seq 8080 8179); do
    is_port_taken "$candidate" || { printf '%s' "$candidate" && return; }
  done
  die "no free port from 8080 to 8179; name one with --port"
}

# start_server FOLDER PORT: answers when the server does; it ends with this script.
start_server() {
  is_port_taken "$2" && die "port $2 is taken; name another with --port"
  # Nothing is cached (-c-1), so that a reload shows what was built last.
  # dist's compressed copies are sent where there are some (-g -b).
  node --no-deprecation node_modules/http-server/bin/http-server "$1" -a 127.0.0.1 -p "$2" -c-1 -g -b -d false -s &
  server=$!
  trap 'kill $server 2>/dev/null' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
  until is_port_taken "$2"; do
    kill -0 $server 2>/dev/null || die "the server did not start"
    sleep 0.05
  done
}

# build_site: builds the folder that --dist and --dev ask for, and names it in $site.
build_site() {
  if [ -n "$dist" ]; then
    make_dist "$with_data"
    site=dist
  else
    build_page "$flavour"
    site=www
  fi
}

serve() {
  setup_node
  put_data || say "data: the page makes digits of its own until it has some"
  build_site
  [ -n "$port" ] || port=$(free_port)
  start_server "$site" "$port"
  say "Glassbox is at http://127.0.0.1:$port/ (Ctrl-C ends it)"
  wait $server
}

# --- Benchmarks ---

bench_native() {
  setup_rust
  cargo bench "$@"
}

# bench_browser [MODE] [OPTIONS]: the other libraries are installed here alone, at the first use.
bench_browser() {
  setup_node
  case " $* " in
    *" --help "*)
      node benches/browser/run.mjs --help
      return
      ;;
    *" curve "*) put_data mnist || die "bench browser curve needs MNIST" ;;
  esac
  setup_browser
  build_site
  npm_packages benches/browser
  node benches/browser/run.mjs --site "$site" "$@"
}

# --- Checks and tests ---

check() {
  setup_npm
  setup_rust
  say "check: formatting"
  cargo fmt --check
  say "check: clippy, natively and for $wasm"
  cargo clippy --locked --all-targets -- -D warnings
  # Examples and benchmarks are native only.
  cargo clippy --locked --lib --tests --target $wasm -- -D warnings
  cargo clippy --locked --lib --target $wasm --no-default-features -- -D warnings
  cargo clippy --locked --lib --target $wasm --no-default-features --features gpu -- -D warnings
  cargo clippy --locked --lib --tests --target $wasm --features gpu -- -D warnings
  say "check: rustdoc, natively and for $wasm"
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib
  # With the private items: what is there on wasm alone is private.
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib --document-private-items --target $wasm --features gpu
  say "check: JSDoc types"
  node_modules/.bin/tsc -p .
}

# node_tests FOLDER: one file at a time, since browsers share the cores.
node_tests() {
  local files
  files=$(find "$1" -name '*.test.*js' 2>/dev/null | LC_ALL=C sort) || die "there is no folder $1"
  [ -n "$files" ] || die "no tests in $1"
  # shellcheck disable=SC2086 # names without spaces
  node --test --test-reporter=spec --test-concurrency=1 --test-timeout=1200000 $files
}

# The browser of webdriver.json is Debian's; elsewhere the tests get a copy that names theirs.
write_webdriver() {
  WASM_BINDGEN_TEST_WEBDRIVER_JSON="$PWD/webdriver.json"
  case $CHROMIUM in
    /usr/bin/chromium) ;;
    *)
      mkdir -p "$target_dir"
      WASM_BINDGEN_TEST_WEBDRIVER_JSON="$(cd "$target_dir" && pwd)/webdriver.json"
      sed "s|\"/usr/bin/chromium\"|\"$CHROMIUM\"|" webdriver.json >"$WASM_BINDGEN_TEST_WEBDRIVER_JSON"
      ;;
  esac
  export WASM_BINDGEN_TEST_WEBDRIVER_JSON
}

wasm_tests() {
  setup_wasm_pack
  setup_browser
  write_webdriver
  # With the GPU's tests; those of the CPU are among them.
  wasm-pack test --mode no-install --headless --chrome --chromedriver "$CHROMEDRIVER" --features gpu
}

# The bundles come gpu first: the crate is still compiled with that feature, for the wasm tests.
build_for_tests() {
  setup_npm
  setup_wasm_bindgen
  build_bundle gpu plain www/pkg/gpu
  build_bundle cpu plain www/pkg/cpu
  if [ -n "${GLASSBOX_DATA:-}" ]; then put_data; fi
}

test_part() {
  case $1 in
    check) check ;;
    native)
      setup_rust
      cargo test --no-fail-fast
      ;;
    js)
      setup_node
      node_tests tests/js
      ;;
    web) wasm_tests ;;
    build) build_for_tests ;;
    e2e)
      setup_npm
      setup_browser
      node_tests tests/e2e
      ;;
    *) die "test has no part called $1; there are: $all_parts" ;;
  esac
}

# counts_in LOG: "PASSED FAILED", of the lines that cargo's, wasm-bindgen's and Node's runners end with.
counts_in() {
  awk '
    match($0, /[0-9]+ passed; [0-9]+ failed/) {
      split(substr($0, RSTART, RLENGTH), word, " ")
      passed += word[1]; failed += word[3]
    }
    NF == 3 && $1 !~ /[A-Za-z]/ && $3 ~ /^[0-9]+$/ {
      if ($2 == "pass") passed += $3
      if ($2 == "fail" || $2 == "cancelled") failed += $3
    }
    END { print passed + 0, failed + 0 }
  ' "$1"
}

# run_tests [PART...]: every part is run, whatever became of those before it.
run_tests() {
  local logs="$target_dir/test-logs" table="" passed=0 failed=0 part started result counts
  # shellcheck disable=SC2086 # a list of words
  [ $# -gt 0 ] || set -- $all_parts
  mkdir -p "$logs"
  for part in "$@"; do
    say "=== $part"
    started=$SECONDS
    result=ok
    # In a process of its own, which its first error ends.
    "$BASH" ./build.sh test-part "$part" 2>&1 | tee "$logs/$part.log" || result=FAILED
    counts=$(counts_in "$logs/$part.log")
    # What fails without a failed test, a compile error say, counts as one.
    case "$result $counts" in FAILED*" 0") counts="${counts% *} 1" ;; esac
    passed=$((passed + ${counts% *}))
    failed=$((failed + ${counts#* }))
    table="$table$(printf '%-8s %-8s %8s %8s %8s' "$part" $result "${counts% *}" "${counts#* }" $((SECONDS - started)))
"
  done
  say "==="
  printf '%-8s %-8s %8s %8s %8s\n%s' part result passed failed seconds "$table"
  case $table in *FAILED*) say "logs: $logs" ;; esac
  say "$passed passed, $failed failed"
  [ $failed -eq 0 ]
}

# --- Command line ---

# The caller's path, from where the script works.
absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s' "$caller_dir/$1" ;;
  esac
}

flavour=plain port="" with_data="" dist=""
command=${1:-help}
[ $# -eq 0 ] || shift
if [ "$command" = bench ] && [ "${1:-}" != browser ]; then
  bench_native "$@"
  exit
fi

words=""
while [ $# -gt 0 ]; do
  case $1 in
    --dev) flavour=dev ;;
    --dist) dist=yes ;;
    --with-data) with_data=--with-data ;;
    --port | --data)
      [ $# -ge 2 ] || die "$1 needs a value"
      case $1 in --port) port=$2 ;; --data) GLASSBOX_DATA=$2 ;; esac
      shift
      ;;
    -h | --help)
      if [ "$command" = bench ]; then words="$words --help"; else command=help; fi
      ;;
    -*)
      # The browser's benchmark has options of its own.
      [ "$command" = bench ] || die "there is no option $1; see ./build.sh help"
      words="$words $1"
      ;;
    *) words="$words $1" ;;
  esac
  shift
done
case $port in *[!0-9]* | 0) die "--port takes a number from 1, not $port" ;; esac
case $command in setup | build | serve | check | dist)
  [ -z "$words" ] || die "$command takes no$words; see ./build.sh help"
  ;;
esac
if [ -n "${GLASSBOX_DATA:-}" ]; then
  GLASSBOX_DATA=$(absolute "$GLASSBOX_DATA")
  [ -d "$GLASSBOX_DATA" ] || die "there is no folder $GLASSBOX_DATA (--data, GLASSBOX_DATA)"
  export GLASSBOX_DATA
fi
# shellcheck disable=SC2086 # a list of words
set -- $words

case $command in
  setup) setup_all ;;
  data) put_data "$@" ;;
  build) build_page "$flavour" ;;
  serve) serve ;;
  test) run_tests "$@" ;;
  test-part) test_part "$1" ;;
  check) check ;;
  bench)
    shift
    bench_browser "$@"
    ;;
  dist) make_dist "$with_data" ;;
  help | -h | --help) usage ;;
  *) die "there is no command $command; see ./build.sh help" ;;
esac
