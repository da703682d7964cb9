// Product of two short unsigned numbers, for significands.
//
// Digits of two bits of b_i each give a row, a multiple 0 to 3 of a_i without a carry chain: a bit of
// it is a function of six bits at most for operands of up to four bits. The rows are added.
//
// Width: below 2^(ABits + BBits).
//
// Combinational.
module mx_multiply #(
  parameter int ABits = 4,
  parameter int BBits = 4
) (
  input  logic [ABits-1:0]       a_i,
  input  logic [BBits-1:0]       b_i,
  output logic [ABits+BBits-1:0] product_o
);

  localparam int Rows = (BBits + 1) / 2;
  localparam int RowBits = ABits + 2;
  localparam int Bits = ABits + 2 * Rows;

  logic [2*Rows-1:0] digits;

  assign digits = (2*Rows)'(b_i);

  for (genvar r = 0; r < Rows; r++) begin : gen_row

    logic [RowBits-1:0] once, twice, row;
    logic [Bits-1:0]    sum;

    assign once  = digits[2*r] ? RowBits'(a_i) : '0;
    assign twice = digits[2*r+1] ? RowBits'(a_i) << 1 : '0;

    mx_ripple_add #(
      .Width(RowBits)
    ) u_row (
      .a_i  (once),
      .b_i  (twice),
      .sum_o(row)
    );

    if (r == 0) begin : gen_first
      assign sum = Bits'(row);
    end else if (ABits + BBits <= 6) begin : gen_gates
      // A product of six input bits in all: one function a bit, found through gates alone.
      logic [Bits-1:0] left, right;
      assign left  = gen_row[r-1].sum;
      assign right = Bits'(row) << (2 * r);
      mx_ripple_add #(
        .Width(Bits)
      ) u_add (
        .a_i  (left),
        .b_i  (right),
        .sum_o(sum)
      );
    end else begin : gen_chain
      // The low bits of the rows before are final.
      assign sum[2*r-1:0] = gen_row[r-1].sum[2*r-1:0];
      mx_add #(
        .Width(Bits - 2 * r)
      ) u_add (
        .a_i    (gen_row[r-1].sum[Bits-1:2*r]),
        .b_i    ((Bits-2*r)'(row)),
        .carry_i(1'b0),
        .sum_o  (sum[Bits-1:2*r])
      );
    end

  end

  logic [Bits-1:0] product;
  logic            unused_top;  // an odd BBits leaves a bit of zero

  assign product    = gen_row[Rows-1].sum;
  assign unused_top = product[Bits-1];
  assign product_o  = product[ABits+BBits-1:0];

endmodule
