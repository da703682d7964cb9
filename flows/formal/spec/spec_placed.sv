// What a product after its fine shift and the places selected for it stand for, in grid units.
module spec_placed #(
  parameter int FineWidth = 11,
  parameter int Step = 4,
  parameter int Coarse = 9
) (
  input  logic [FineWidth-1:0] fine_i,
  input  logic [Coarse-1:0]    select_i,
  output logic [79:0]          placed_o
);

  always_comb begin
    placed_o = '0;
    for (int k = 0; k < Coarse; k++) begin
      placed_o = placed_o | (select_i[k] ? 80'(fine_i) << (k * Step) : 80'd0);
    end
  end

endmodule
