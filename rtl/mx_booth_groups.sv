// Sums of INT8 products, first part: for each of the four radix-4 digits of Booth of the b codes, the
// sums over groups of lanes.
//
//   sum of a[lane] * b[lane] = sum over digits k of 4^k * (sum over groups of its sum and excess)
//
// b = sum over k of 4^k * digit(b[2k+1], b[2k], b[2k-1]) with b[-1] = 0; digit as in mx_booth_rows.
// excess_o is what mx_booth_rows leaves of each group; in group 0 of digit 0 it is in the sum already
// and must not be added.
//
// Width: see mx_booth_rows; the sums of digit 0 have one bit more than the others.
//
// Combinational.
module mx_booth_groups #(
  parameter int Groups = 8,
  parameter int Count = 4  // lanes of a group
) (
  input  logic [8*Groups*Count-1:0]                a_i,       // INT8 codes, lane 0 in the LSBs
  input  logic [8*Groups*Count-1:0]                b_i,
  output logic [Groups*(10+$clog2(Count))-1:0]     low_o,     // digit 0, group 0 in the LSBs
  output logic [3*Groups*(9+$clog2(Count))-1:0]    high_o,    // digits 1 to 3, digit 1 in the LSBs
  output logic [4*Groups-1:0]                      excess_o   // digit 0 in the LSBs
);

  localparam int Bits = 9 + $clog2(Count);

  for (genvar g = 0; g < Groups; g++) begin : gen_group
    for (genvar k = 0; k < 4; k++) begin : gen_digit

      localparam int Absorb = (g == 0 && k == 0) ? 1 : 0;

      logic [3*Count-1:0]     digits;
      logic [Bits+Absorb-1:0] sum;

      for (genvar lane = 0; lane < Count; lane++) begin : gen_lane
        if (k == 0) begin : gen_lowest
          assign digits[3*lane +: 3] = {b_i[8*(g*Count+lane) +: 2], 1'b0};
        end else begin : gen_higher
          assign digits[3*lane +: 3] = b_i[8*(g*Count+lane) + 2*k - 1 +: 3];
        end
      end

      mx_booth_rows #(
        .Count (Count),
        .Absorb(Absorb)
      ) u_rows (
        .a_i    (a_i[8*Count*g +: 8*Count]),
        .digit_i(digits),
        .sum_o  (sum)
      );

      assign excess_o[k*Groups+g] = digits[2];

      if (k == 0) begin : gen_low
        assign low_o[(Bits+1)*g +: Bits+1] = (Bits+1)'($signed(sum));
      end else begin : gen_high
        assign high_o[Bits*((k-1)*Groups+g) +: Bits] = sum;
      end

    end
  end

endmodule
