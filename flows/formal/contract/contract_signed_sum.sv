// mx_adder_tree: the sum of all signed terms.
module contract_signed_sum #(
  parameter int Count = 32,
  parameter int Width = 8
) (
  input  logic [Count*Width-1:0]         terms_i,
  input  logic [Count-1:0]               negative_i,
  input  logic [Width+$clog2(Count)-1:0] sum_o,
  input  logic                           negative_o,
  output logic                           holds
);

  localparam int Bits = Width + $clog2(Count) + 1;

  // Modulo 2^Bits, which holds the sum, every order gives the same: pairs, pairs of pairs, and so on.
  logic signed [Bits-1:0] sum;
  logic [Count*Bits-1:0]  totals;

  always_comb begin
    for (int k = 0; k < Count; k++) begin
      totals[k*Bits +: Bits] = Bits'($signed(terms_i[k*Width +: Width]));
      if (negative_i[k]) begin
        totals[k*Bits +: Bits] = -totals[k*Bits +: Bits];
      end
    end
    for (int reach = 1; reach < Count; reach = 2 * reach) begin
      for (int k = 0; k < Count; k += 2 * reach) begin
        totals[k*Bits +: Bits] = totals[k*Bits +: Bits] + totals[(k+reach)*Bits +: Bits];
      end
    end
  end

  assign sum   = Bits'($signed(sum_o));
  assign holds = totals[Bits-1:0] == (negative_o ? -sum : sum);

endmodule
