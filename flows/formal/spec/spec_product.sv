// Product of two elements by their tables, in units of the product of the smallest elements of both
// formats: odd numbers multiplied, powers added. IEEE rules for what is not a number.
module spec_product #(
  parameter int AFormat = 1,
  parameter int BFormat = 1,
  parameter int Bits = 66
) (
  input  logic [8:0]      a_code_i,
  input  logic [8:0]      b_code_i,
  output logic            negative_o,
  output logic [Bits-1:0] magnitude_o,
  output logic            is_nan_o,
  output logic            is_inf_o
);

  logic       a_nan, a_inf, a_negative, b_nan, b_inf, b_negative;
  logic [7:0] a_odd, b_odd;
  logic [5:0] a_power, b_power;

  formal_element #(.Format(AFormat)) u_a (
    .code_i(a_code_i), .is_nan_o(a_nan), .is_inf_o(a_inf), .negative_o(a_negative), .odd_o(a_odd), .power_o(a_power)
  );

  formal_element #(.Format(BFormat)) u_b (
    .code_i(b_code_i), .is_nan_o(b_nan), .is_inf_o(b_inf), .negative_o(b_negative), .odd_o(b_odd), .power_o(b_power)
  );

  logic a_zero, b_zero;

  assign a_zero      = !a_nan && !a_inf && a_odd == '0;
  assign b_zero      = !b_nan && !b_inf && b_odd == '0;
  assign negative_o  = a_negative != b_negative;
  assign magnitude_o = Bits'(16'(a_odd) * 16'(b_odd)) << (7'(a_power) + 7'(b_power));
  assign is_nan_o    = a_nan || b_nan || (a_inf && b_zero) || (a_zero && b_inf);
  assign is_inf_o    = !is_nan_o && (a_inf || b_inf);

endmodule
