// mx_carry_tree: the sum of all terms and of all bits but the first.
module contract_carry_tree #(
  parameter int Count = 8,
  parameter int Width = 11
) (
  input  logic [Count*Width-1:0]         terms_i,
  input  logic [Count-1:0]               carry_i,
  input  logic [Width+$clog2(Count)-1:0] sum_o,
  output logic                           holds
);

  localparam int Bits = Width + $clog2(Count) + 1;  // one more than it takes

  logic [Count*Bits-1:0] totals;

  always_comb begin
    for (int k = 0; k < Count; k++) begin
      totals[k*Bits +: Bits] = Bits'($signed(terms_i[k*Width +: Width])) + Bits'(k > 0 && carry_i[k]);
    end
    for (int reach = 1; reach < Count; reach = 2 * reach) begin
      for (int k = 0; k < Count; k += 2 * reach) begin
        totals[k*Bits +: Bits] = totals[k*Bits +: Bits] + totals[(k+reach)*Bits +: Bits];
      end
    end
  end

  assign holds = totals[Bits-1:0] == Bits'($signed(sum_o));

endmodule
