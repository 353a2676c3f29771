#compdef isolatectl
# Completion of isolatectl(1) for zsh. tests/system/completion.bats compares it with the output of isolatectl --help.

local -a common=(
  '*--store=[the store of templates and clones]:store:_files -/'
  '--json[print lists as JSON]'
  '(-q --quiet)'{-q,--quiet}'[print only warnings and errors]'
  '(- *)'{-h,--help}'[print help]'
)
local kept='--kept[clones kept with isolate --keep]'

_isolatectl_templates() {
  local -a names
  names=(${(f)"$(isolatectl --quiet template list 2>/dev/null | awk 'NR > 1 { print $1 }')"})
  compadd -a names
}

_isolatectl_leases() {
  local -a names
  names=(${(f)"$(isolatectl --quiet ps 2>/dev/null | awk 'NR > 1 { print $1 }')"})
  compadd -a names
}

_isolatectl_launchers() {
  local -a names
  names=(${(f)"$(isolatectl --quiet launcher list 2>/dev/null | awk 'NR > 1 { print $1 }')"})
  compadd -a names
}

_isolatectl_sources() {
  _alternative 'releases:release:(debian\:bookworm debian\:trixie)' 'files:directory or tarball:_files'
}

_isolatectl_template() {
  local curcontext=$curcontext state line
  _arguments -C $common \
    '1:verb:(create edit list show snapshot remove gc)' \
    '*::argument:->arguments'
  [[ $state == arguments ]] || return
  case $line[1] in
    create)
      _arguments $common '1:name:' '--from=[the source of its files]:source:_isolatectl_sources' \
        '*--mirror=[where packages come from]:address:' '--include=[more packages]:packages:' \
        '--force[accept a source that does not look like a Linux root]' \
        "--variant=[mmdebstrap's variant]:variant:(minbase apt essential buildd important standard)"
      ;;
    edit)
      _arguments $common '--continue[continue with the changes of an earlier edit]' \
        '*'{-v+,--env=}'[set a variable, NAME=VALUE or NAME]:variable:' \
        '--publish[make those changes a generation]' '--discard[discard those changes]' \
        '1:template:_isolatectl_templates' '*::command:_normal'
      ;;
    list) _arguments $common '--size[show what each takes on disk]' ;;
    show | snapshot | remove) _arguments $common '1:template:_isolatectl_templates' ;;
    gc) _arguments $common $kept ;;
    *) _arguments $common ;;
  esac
}

_isolatectl_pool() {
  local curcontext=$curcontext state line
  _arguments -C $common \
    '1:verb:(list status resize drain range)' \
    '*::argument:->arguments'
  [[ $state == arguments ]] || return
  case $line[1] in
    status | drain) _arguments $common '1:template:_isolatectl_templates' ;;
    resize) _arguments $common '1:template:_isolatectl_templates' '2:number:' ;;
    range) _arguments $common '1:template:_isolatectl_templates' '2:first user id or none:' '3:first group id:' ;;
    *) _arguments $common ;;
  esac
}

_isolatectl_launcher() {
  local curcontext=$curcontext state line
  _arguments -C $common \
    '1:verb:(create list remove)' \
    '*::argument:->arguments'
  [[ $state == arguments ]] || return
  case $line[1] in
    create)
      _arguments $common '--template=[the template of the clone]:template:_isolatectl_templates' \
        '(-n --share-net)'{-n,--share-net}"[share the host's network]" \
        '--home=[use this directory as the home, and keep it]:directory:_directories' \
        '--icon=[a PNG or SVG file, or the name of an icon]:icon:_files' '1:name:' '*::command:_normal'
      ;;
    remove) _arguments $common '1:launcher:_isolatectl_launchers' ;;
    *) _arguments $common ;;
  esac
}

local curcontext=$curcontext state line
_arguments -C $common '(- *)--version[print the version]' \
  '1:verb:(template pool gc ps kill exec warm launcher status)' \
  '*::argument:->arguments'
[[ $state == arguments ]] || return
case $line[1] in
  template) _isolatectl_template ;;
  pool) _isolatectl_pool ;;
  launcher) _isolatectl_launcher ;;
  gc | ps) _arguments $common $kept ;;
  warm) _arguments $common '1:template:_isolatectl_templates' '2:number:' '*:option of isolate:' ;;
  kill) _arguments $common '1:lease:_isolatectl_leases' ;;
  exec)
    _arguments $common '(-t --tty)'{-t,--tty}'[give it a terminal of its own]' \
      '(-p --directory)'{-p,--directory}'[working directory in the guest]:directory:' \
      '*'{-v,--variable}'[add a variable]:variable:' '1:lease:_isolatectl_leases' '*::command:_normal'
    ;;
  *) _arguments $common ;;
esac
