module peal/bench

go 1.26.8
