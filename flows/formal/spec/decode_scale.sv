// mx_ue4m3_decode: the value of every code as the table has it.
module decode_scale (
  input  logic [7:0] code_i,
  output logic [3:0] significand_o,
  output logic [3:0] offset_o,
  output logic       is_nan_o,
  output logic       holds
);

  mx_ue4m3_decode u_decode (.code_i, .significand_o, .offset_o, .is_nan_o);

  logic       is_nan, unused_inf, unused_negative;
  logic [7:0] odd;
  logic [5:0] power;

  formal_element #(.Format(mx_pkg::Ue4m3)) u_table (
    .code_i(9'(code_i)), .is_nan_o(is_nan), .is_inf_o(unused_inf), .negative_o(unused_negative), .odd_o(odd),
    .power_o(power)
  );

  assign holds = is_nan_o == is_nan && (is_nan || 32'(significand_o) << offset_o == 32'(odd) << power);

endmodule
