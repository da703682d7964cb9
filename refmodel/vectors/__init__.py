"""Test vectors: stimulus, expected results, and the directories they are written to.

* `suite`      the stimulus classes and their shares of a set
* `codes`, `sums`, `sequence`, `sampled`   their generators
* `construct`  block pairs with a wanted exact sum
* `dotset`     one set of dot products with the model's results
* `files`      the directory format: `manifest.json` and one `$readmemh` file a plane
* `pairs`      matrices from the user's files
"""
