// mx_booth_groups: for each digit and group the sum, with its excess, of the terms of the group's lanes; in
// group 0 of digit 0 the excess is in the sum.
module contract_booth_groups #(
  parameter int Groups = 8,
  parameter int Count = 4
) (
  input  logic [8*Groups*Count-1:0]             a_i,
  input  logic [8*Groups*Count-1:0]             b_i,
  input  logic [Groups*(10+$clog2(Count))-1:0]  low_o,
  input  logic [3*Groups*(9+$clog2(Count))-1:0] high_o,
  input  logic [4*Groups-1:0]                   excess_o,
  output logic                                  holds
);

  localparam int Bits = 16 + $clog2(Groups * Count);
  localparam int Width = 9 + $clog2(Count);

  logic [4*Groups-1:0] is_right;

  for (genvar k = 0; k < 4; k++) begin : gen_digit
    for (genvar g = 0; g < Groups; g++) begin : gen_group

      logic [Bits-1:0]       sum, excess;
      logic [Count*Bits-1:0] totals;

      for (genvar lane = 0; lane < Count; lane++) begin : gen_lane
        logic [Bits-1:0] term;
        spec_booth_term #(.Digit(k), .Bits(Bits)) u_term (
          .a_i(a_i[8*(g*Count+lane) +: 8]), .b_i(b_i[8*(g*Count+lane) +: 8]), .term_o(term)
        );
        if (lane == 0) begin : gen_first
          assign totals[0 +: Bits] = term;
        end else begin : gen_next
          assign totals[lane*Bits +: Bits] = totals[(lane-1)*Bits +: Bits] + term;
        end
      end

      if (k == 0) begin : gen_low
        spec_word #(.Width(Width + 1), .Bits(Bits)) u_word (.number_i(low_o[g*(Width+1) +: Width+1]), .word_o(sum));
      end else begin : gen_high
        spec_word #(.Width(Width), .Bits(Bits)) u_word (
          .number_i(high_o[((k-1)*Groups+g)*Width +: Width]), .word_o(sum)
        );
      end

      assign excess = Bits'(excess_o[k*Groups+g] && !(k == 0 && g == 0));
      assign is_right[k*Groups+g] = sum == totals[(Count-1)*Bits +: Bits] - excess;

    end
  end

  assign holds = &is_right;

endmodule
