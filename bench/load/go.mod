module holdfast.dev/bench/load

go 1.24
