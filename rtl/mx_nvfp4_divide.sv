// One lane of a conversion to NVFP4: a Float32 number over a UE4M3 scale, as an E2M1 code.
//
//   code_o = E2M1 number nearest to the exact quotient value_i / scale, ties to even (NV-Q-d, A-N5);
//            beyond the range 6 of its sign
//
// There is no divider. With both significands in [1, 2) the quotient's is that of value_i over that of
// the scale, or twice it where that is below 1. E2M1 has two significand bits, and its rounding wants
// one more and a sticky bit: the quotient is 1, 1.25, 1.5 or 1.75 and something below the next. Which
// it is, comparisons with those multiples of the scale tell, which have 7 bits; the sticky bit is clear
// only where value_i is the multiple itself. So the rounding is that of the exact quotient.
//
// Zero and what rounds to it keep the sign. Subnormal Float32 numbers are far below half of the
// smallest E2M1 number times the smallest scale, and their significand does not matter. The same is
// true of all numbers of a block whose scale is zero: they are zeros.
//
// is_nan_i, for a block whose scale is NaN, makes the code 0.
//
// Combinational.
module mx_nvfp4_divide (
  input  logic [31:0] value_i,              // Float32
  input  logic [3:0]  scale_significand_i,  // with the leading one at the top
  input  logic [7:0]  scale_field_i,        // Float32 exponent field of the scale
  input  logic        is_nan_i,
  output logic [3:0]  code_o
);

  //////////////
  // Quotient //
  //////////////

  logic       is_at_least_one;
  logic [6:0] seen;
  logic       rest;
  logic [6:0] one, five, six, seven;  // quarters of the scale's significand
  logic [1:0] quarters;
  logic [6:0] multiple;
  logic       sticky;

  assign is_at_least_one = {1'b1, value_i[22:20]} >= scale_significand_i;
  // value_i's significand, or twice it, in units of 1/4 of the scale's last bit.
  assign seen  = is_at_least_one ? {2'b01, value_i[22:18]} : {1'b1, value_i[22:17]};
  assign rest  = (is_at_least_one && value_i[17]) || |value_i[16:0];
  assign one   = {1'b0, scale_significand_i, 2'b00};
  assign five  = one + 7'(scale_significand_i);
  assign six   = one + {2'b00, scale_significand_i, 1'b0};
  assign seven = {scale_significand_i, 3'b000} - 7'(scale_significand_i);

  assign quarters = (seen >= seven) ? 2'd3 : (seen >= six) ? 2'd2 : (seen >= five) ? 2'd1 : 2'd0;
  assign multiple = (quarters == 2'd3) ? seven : (quarters == 2'd2) ? six : (quarters == 2'd1) ? five : one;
  assign sticky   = rest || seen != multiple;

  //////////////
  // Exponent //
  //////////////

  // E2M1 has bias 1. Fields from -254 to 255.
  logic signed [9:0] field;
  logic [1:0]        distance;
  logic [3:0]        aligned;

  assign field    = {2'b00, value_i[30:23]} - {2'b00, scale_field_i} + 10'(is_at_least_one);
  assign distance = (field > 0) ? 2'd0 : (field == 0) ? 2'd1 : (field == -1) ? 2'd2 : 2'd3;

  mx_shift_right_jam #(
    .Width       (4),
    .DistanceBits(2)
  ) u_denormalise (
    .data_i    ({1'b1, quarters, sticky}),
    .distance_i(distance),
    .data_o    (aligned)
  );

  logic [3:0] rounded;
  logic       unused_overflow;

  mx_round_pack #(
    .FieldBits(10),
    .Result   (mx_pkg::E2M1)
  ) u_pack (
    .sign_i       (value_i[31]),
    .significand_i(aligned[3:2]),
    .guard_i      (aligned[1]),
    .sticky_i     (aligned[0]),
    .carry_i      (1'b0),
    .field_i      (field),
    .result_o     (rounded),
    .overflow_o   (unused_overflow)
  );

  assign code_o = is_nan_i ? 4'd0 : rounded;

endmodule
