"""`plcnn sweep`: a training repeated over seeds or folds, or a search for its best settings, all in one folder.

`command` reads the command line, `plan` is what is to be done, `crew` runs it: each run is a `plcnn fit` in a process
of its own, held by a `keeper` process. `repetitions` and `search` say which runs, `outcome`, `page` and
`search_figures` what came of them.
"""
