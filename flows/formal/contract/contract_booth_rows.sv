// mx_booth_rows: with the excess of lane 0, or without it if that is absorbed, the sum of digit times a.
module contract_booth_rows #(
  parameter int Count = 4,
  parameter int Absorb = 0
) (
  input  logic [8*Count-1:0]                a_i,
  input  logic [3*Count-1:0]                digit_i,
  input  logic [9+$clog2(Count)+Absorb-1:0] sum_o,
  output logic                              holds
);

  localparam int Bits = 21;

  logic [Count*Bits-1:0] totals;

  for (genvar k = 0; k < Count; k++) begin : gen_lane

    logic [Bits-1:0] term;

    spec_digit_times #(.Bits(Bits)) u_times (.a_i(a_i[8*k +: 8]), .digit_i(digit_i[3*k +: 3]), .term_o(term));

    if (k == 0) begin : gen_first
      assign totals[0 +: Bits] = term;
    end else begin : gen_next
      assign totals[k*Bits +: Bits] = totals[(k-1)*Bits +: Bits] + term;
    end

  end

  assign holds = Bits'($signed(sum_o)) == totals[(Count-1)*Bits +: Bits] - Bits'(Absorb == 0 && digit_i[2]);

endmodule
