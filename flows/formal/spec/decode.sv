// mx_element_decode: sign, significand and offset make the value that the table has for the code.
module decode #(
  parameter int Format = 1
) (
  input  logic [mx_pkg::element_bits(Format)-1:0]     code_i,
  output logic                                        negative_o,
  output logic [mx_pkg::significand_bits(Format)-1:0] significand_o,
  output logic [mx_pkg::offset_bits(Format)-1:0]      offset_o,
  output logic [mx_pkg::offset_bits(Format)-1:0]      exponent_o,
  output logic                                        is_nan_o,
  output logic                                        is_inf_o,
  output logic                                        is_zero_o,
  output logic                                        holds
);

  mx_element_decode #(.Format(Format)) u_decode (
    .code_i, .negative_o, .significand_o, .offset_o, .exponent_o, .is_nan_o, .is_inf_o, .is_zero_o
  );

  logic       sign, is_nan, is_inf;
  logic [7:0] odd;
  logic [5:0] power;

  formal_element #(.Format(Format)) u_table (
    .code_i(9'(code_i)), .is_nan_o(is_nan), .is_inf_o(is_inf), .negative_o(sign), .odd_o(odd), .power_o(power)
  );

  logic is_number_right, is_offset_right;

  assign is_number_right = 48'(significand_o) << offset_o == 48'(odd) << power
      && is_zero_o == (odd == '0);
  assign is_offset_right = formal_formats::field_bits(Format) == 0 ? exponent_o == 0 && offset_o == 0
      : exponent_o == offset_o + 1'b1;
  assign holds = is_nan_o == is_nan && is_inf_o == is_inf
      && (is_nan || negative_o == sign)
      && (is_nan || is_inf || (is_number_right && is_offset_right));

endmodule
