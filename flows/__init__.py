"""The flows around the RTL: lint, synthesis, waves, the plain SystemVerilog bench, and the datasheets."""
