"""Test vectors: stimulus, expected results, and the directories they are written to.

* `vectorset`  what every set is: planes of input and of expected output, stimulus classes
* `dotset`, `tiles`, `conversions`   sets of dot products, of tiles of matrix products, of quantize and dequantize
* `suite`      the stimulus classes of dot products and their shares of a set
* `codes`, `sums`, `sequence`, `initial`, `alignment`, `sampled`   their generators
* `construct`  block pairs with a wanted exact sum
* `target`     the format of results, which ties and range ends aim at
* `numbers`    the stimulus classes of quantize
* `files`, `manifest`   the directory format: `manifest.json` and one `$readmemh` file a plane
* `verify`     results judged again, by the model and by the oracle
* `pairs`      matrices from the user's files
"""
