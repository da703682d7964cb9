// mx_block_sum without registers: the exact sum of all products, what is not a number, and the scales.
module sum #(
  parameter int AFormat = 4,
  parameter int BFormat = 4,
  parameter int Lanes = 32
) (
  input  logic                                           clk_i,
  input  logic                                           rst_ni,
  input  logic                                           valid_i,
  output logic                                           ready_o,
  input  logic [Lanes*mx_pkg::element_bits(AFormat)-1:0] a_elements_i,
  input  logic [7:0]                                     a_scale_i,
  input  logic [Lanes*mx_pkg::element_bits(BFormat)-1:0] b_elements_i,
  input  logic [7:0]                                     b_scale_i,
  input  logic [3:0]                                     tag_i,
  output logic                                           valid_o,
  input  logic                                           ready_i,
  output logic [mx_pkg::sum_bits(AFormat, BFormat):0]    sum_o,
  output logic                                           negative_o,
  output logic [8:0]                                     scale_sum_o,
  output logic                                           is_nan_o,
  output logic                                           is_inf_o,
  output logic                                           inf_negative_o,
  output logic                                           all_negative_o,
  output logic [3:0]                                     tag_o,
  output logic                                           holds
);

  localparam int ABits = mx_pkg::element_bits(AFormat);
  localparam int BBits = mx_pkg::element_bits(BFormat);
  localparam int Bits = mx_pkg::sum_bits(AFormat, BFormat) + 2;

  mx_block_sum #(.AFormat(AFormat), .BFormat(BFormat), .Lanes(Lanes), .TagBits(4)) u_sum (.*);

  logic [Lanes*Bits-1:0] products, totals;
  logic [Lanes-1:0]      negative, is_nan, is_inf;

  for (genvar k = 0; k < Lanes; k++) begin : gen_lane
    logic [Bits-1:0] magnitude;

    spec_product #(.AFormat(AFormat), .BFormat(BFormat), .Bits(Bits)) u_product (
      .a_code_i(9'(a_elements_i[k*ABits +: ABits])), .b_code_i(9'(b_elements_i[k*BBits +: BBits])),
      .negative_o(negative[k]), .magnitude_o(magnitude), .is_nan_o(is_nan[k]), .is_inf_o(is_inf[k])
    );

    assign products[k*Bits +: Bits] = negative[k] ? -magnitude : magnitude;
  end

  // Modulo 2^Bits, which holds the sum, every order gives the same: four at a time, then pairs of sums.
  localparam int Group = (Lanes < 4) ? Lanes : 4;

  always_comb begin
    totals = products;
    for (int g = 0; g < Lanes; g += Group) begin
      for (int k = 1; k < Group; k++) begin
        totals[g*Bits +: Bits] = totals[g*Bits +: Bits] + totals[(g+k)*Bits +: Bits];
      end
    end
    for (int reach = Group; reach < Lanes; reach = 2 * reach) begin
      for (int k = 0; k < Lanes; k += 2 * reach) begin
        totals[k*Bits +: Bits] = totals[k*Bits +: Bits] + totals[(k+reach)*Bits +: Bits];
      end
    end
  end

  logic            nan, plus_inf, minus_inf;
  logic [Bits-1:0] sum;

  assign nan       = a_scale_i == 8'hFF || b_scale_i == 8'hFF || (|is_nan) || (plus_inf && minus_inf);
  assign plus_inf  = |(is_inf & ~negative & ~is_nan);
  assign minus_inf = |(is_inf & negative & ~is_nan);
  assign sum       = Bits'($signed(sum_o));

  assign holds = valid_o == valid_i && ready_o == ready_i && tag_o == tag_i
      && scale_sum_o == 9'(a_scale_i) + 9'(b_scale_i) && is_nan_o == nan
      && (nan || is_inf_o == (plus_inf || minus_inf)) && (nan || !is_inf_o || inf_negative_o == minus_inf)
      && (nan || all_negative_o == &negative)
      && (nan || is_inf_o || totals[Bits-1:0] == (negative_o ? -sum : sum));

endmodule
