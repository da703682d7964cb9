// mx_row_sum: the sum of the placed products, signs as they differ from that of lane 0.
module contract_row_sum #(
  parameter int FineWidth = 11,
  parameter int Step = 4,
  parameter int Coarse = 9,
  parameter int Bias = 2,
  parameter int TermBits = 36,
  parameter int Count = 4
) (
  input  logic [Count*FineWidth-1:0]       fine_i,
  input  logic [Count*Coarse-1:0]          select_i,
  input  logic [Count-1:0]                 negative_i,
  input  logic [TermBits+$clog2(Count):0]  sum_o,
  output logic                             holds
);

  localparam int Bits = TermBits + $clog2(Count) + 2;  // one more than it takes

  logic [Count*Bits-1:0] totals;

  for (genvar k = 0; k < Count; k++) begin : gen_lane

    logic [79:0]     placed;
    logic [Bits-1:0] term, signed_term;

    spec_placed #(.FineWidth(FineWidth), .Step(Step), .Coarse(Coarse)) u_placed (
      .fine_i(fine_i[k*FineWidth +: FineWidth]), .select_i(select_i[k*Coarse +: Coarse]), .placed_o(placed)
    );

    assign term        = Bits'(TermBits'(placed >> Bias));
    assign signed_term = (negative_i[k] != negative_i[0]) ? -term : term;

    if (k == 0) begin : gen_first
      assign totals[0 +: Bits] = signed_term;
    end else begin : gen_next
      assign totals[k*Bits +: Bits] = totals[(k-1)*Bits +: Bits] + signed_term;
    end

  end

  assign holds = Bits'($signed(sum_o)) == totals[(Count-1)*Bits +: Bits];

endmodule
