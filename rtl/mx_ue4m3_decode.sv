// Decodes a UE4M3 scale (NV-FMT-c): E4M3 without its sign, whose bit is ignored (A-N7).
//
//   scale = significand_o * 2^offset_o * 2^-9; NaN for 0x7F
//
// Combinational.
module mx_ue4m3_decode (
  input  logic [7:0] code_i,
  output logic [3:0] significand_o,
  output logic [3:0] offset_o,
  output logic       is_nan_o
);

  logic       unused_sign, unused_negative, unused_inf, unused_zero;
  logic [3:0] unused_exponent;

  assign unused_sign = code_i[7];

  mx_element_decode #(
    .Format(mx_pkg::E4M3)
  ) u_decode (
    .code_i       ({1'b0, code_i[6:0]}),
    .negative_o   (unused_negative),
    .significand_o,
    .offset_o,
    .exponent_o   (unused_exponent),
    .is_nan_o,
    .is_inf_o     (unused_inf),
    .is_zero_o    (unused_zero)
  );

endmodule
