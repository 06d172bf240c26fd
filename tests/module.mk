# check, bench, coverage
