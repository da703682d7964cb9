// The sum of a block and c where one of them is no number: a NaN makes NaN, and so do infinities of both
// signs; else an infinity wins.
module spec_special #(
  parameter int ResultFormat = 8
) (
  input  logic                                              is_nan_i,
  input  logic                                              is_inf_i,
  input  logic                                              inf_negative_i,
  input  logic [31:0]                                       c_i,
  output logic                                              is_nan_o,
  output logic                                              is_inf_o,
  output logic [formal_formats::bits(ResultFormat)-1:0]     special_o
);

  localparam int Bits = formal_formats::bits(ResultFormat);
  localparam logic [Bits-2:0] Inf = (Bits-1)'(formal_formats::largest_code(ResultFormat) + 1);

  logic c_is_inf, plus_inf, minus_inf;

  assign c_is_inf  = c_i[30:0] == 31'h7F80_0000;
  assign plus_inf  = (is_inf_i && !inf_negative_i) || (c_is_inf && !c_i[31]);
  assign minus_inf = (is_inf_i && inf_negative_i) || (c_is_inf && c_i[31]);
  assign is_nan_o  = is_nan_i || c_i[30:0] > 31'h7F80_0000 || (plus_inf && minus_inf);
  assign is_inf_o  = plus_inf || minus_inf;
  assign special_o = is_nan_o ? Bits'(formal_formats::quiet_nan(ResultFormat)) : {minus_inf, Inf};

endmodule
