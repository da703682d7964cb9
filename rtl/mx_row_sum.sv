// Exact sum of a few placed products, one after the other.
//
//   sum_o = sum over lanes of +-(fine << coarse place), minus where negative_i differs from lane 0's
//
// in grid units, so that the sum of the signed products is (-1)^negative_i[0] * sum_o: no product is
// negated. Lane k is added by one carry chain whose LUTs also put the product in its place and
// complement it: an input of the sum so far, one of the sign, and four for two places with their
// selects. Lane 0 starts the sum as a positive number.
//
// Width: after j lanes the sum is below j * 2^term_bits in magnitude, term_bits + clog2(j) + 1 bits.
// The grid is the coarse grid without its lowest position_bias bits, which are zero: no float has a
// field below 1.
//
// Combinational, Count - 1 additions deep.
module mx_row_sum #(
  parameter int FineWidth = 11,  // bits of a product after its fine shift
  parameter int Step = 4,        // bits from one coarse place to the next
  parameter int Coarse = 9,      // places
  parameter int Bias = 2,        // lowest bits, always zero
  parameter int TermBits = 36,   // bits of a placed product above them
  parameter int Count = 4        // lanes
) (
  input  logic [Count*FineWidth-1:0]       fine_i,    // lane 0 in the LSBs
  input  logic [Count*Coarse-1:0]          select_i,
  input  logic [Count-1:0]                 negative_i,
  output logic [TermBits+$clog2(Count):0]  sum_o
);

  localparam int PlacedBits = FineWidth + (Coarse - 1) * Step;

  for (genvar lane = 0; lane < Count; lane++) begin : gen_row

    localparam int Bits = TermBits + $clog2(lane + 1) + 1;

    logic [PlacedBits-1:0] placed;
    logic [TermBits-1:0]   term;
    logic [Bits-1:0]       sum;

    // gen_place[k].so_far: the product, if it goes to one of the places up to k.
    for (genvar k = 0; k < Coarse; k++) begin : gen_place
      logic [PlacedBits-1:0] here, so_far;
      assign here = select_i[lane*Coarse+k]
          ? PlacedBits'(fine_i[lane*FineWidth +: FineWidth]) << (k * Step) : '0;
      if (k == 0) begin : gen_first
        assign so_far = here;
      end else begin : gen_next
        assign so_far = gen_place[k-1].so_far | here;
      end
    end

    assign placed = gen_place[Coarse-1].so_far;
    assign term   = TermBits'(placed >> Bias);

    if (lane == 0) begin : gen_start
      logic unused_negative;
      assign unused_negative = negative_i[0];
      assign sum             = Bits'(term);
    end else begin : gen_add
      localparam int Before = TermBits + $clog2(lane) + 1;
      logic [Bits-1:0] previous, addend;
      logic            subtract;
      assign subtract = negative_i[lane] ^ negative_i[0];
      assign previous = Bits'($signed(gen_row[lane-1].sum[Before-1:0]));
      assign addend   = Bits'(term) ^ {Bits{subtract}};
      mx_add #(
        .Width(Bits)
      ) u_add (
        .a_i    (previous),
        .b_i    (addend),
        .carry_i(subtract),
        .sum_o  (sum)
      );
    end

  end

  assign sum_o = gen_row[Count-1].sum;

endmodule
