-y rtl
+libext+.sv
rtl/mx_pkg.sv
sv_bench/mx_dot_tb.sv
