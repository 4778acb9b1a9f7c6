module github.com/tox-rejoin/rejoin

go 1.26
