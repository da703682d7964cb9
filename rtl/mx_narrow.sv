// Rounds a Float32 number to BF16 or FP16, to nearest even; with ResultFormat Fp32 it is wires.
//
// A NaN gives the NaN of ResultFormat, Inf stays Inf.
//
// Width: a Float32 significand has 24 bits with its LSB at 2^(max(field, 1) - 150).
//
// Combinational.
module mx_narrow #(
  parameter int ResultFormat = mx_pkg::Bf16
) (
  input  logic [31:0]                                  value_i,
  output logic [mx_pkg::number_bits(ResultFormat)-1:0] result_o
);

  localparam int ResultBits = mx_pkg::number_bits(ResultFormat);
  localparam logic [31:0] Nan = mx_pkg::number_nan(ResultFormat);
  localparam logic [31:0] Inf = mx_pkg::number_inf(ResultFormat);

  if (ResultFormat == mx_pkg::Fp32) begin : gen_wires

    assign result_o = value_i;

  end else begin : gen_round

    logic                  is_normal, is_special, unused_zero, unused_overflow;
    logic [23:0]           significand;
    logic signed [8:0]     field;
    logic [ResultBits-1:0] rounded;

    assign is_normal   = value_i[30:23] != 8'd0;
    assign is_special  = value_i[30:23] == 8'hFF;
    assign significand = {is_normal, value_i[22:0]};
    assign field       = {1'b0, value_i[30:24], value_i[23] || !is_normal};

    mx_round #(
      .Width         (24),
      .ExponentBits  (9),
      .Result        (ResultFormat),
      .ExponentOffset(-150),
      .LowestExponent(-149)
    ) u_round (
      .sign_i        (value_i[31]),
      .magnitude_i   (significand),
      .increment_i   (1'b0),
      .lsb_exponent_i(field),
      .result_o      (rounded),
      .is_zero_o     (unused_zero),
      .overflow_o    (unused_overflow)
    );

    assign result_o = !is_special ? rounded
        : value_i[22:0] != '0 ? Nan[ResultBits-1:0]
        : {value_i[31], Inf[ResultBits-2:0]};

  end

endmodule
