declare -xr TMOUT='600'
typeset -r OTHER=1
export FOO=umask
