// A place to wait in a stream, mx_pipe_stage or mx_skid_buffer, beside a plain queue of its capacity:
// what comes in goes out, once, in its order; it is offered as soon as it is there and not withdrawn
// or changed until it is taken; and there is room whenever there should be.
//
// Anything may be offered, withdrawn and changed at the input, ready_i may be anything, and a reset
// may come at any time, as it does in the first cycle.
module stream #(
  parameter int Width = 4,
  parameter int Skid = 0
) (
  input  logic             clk_i,
  input  logic             reset_i,
  input  logic             valid_i,
  output logic             ready_o,
  input  logic [Width-1:0] data_i,
  output logic             valid_o,
  input  logic             ready_i,
  output logic [Width-1:0] data_o,
  output logic             holds
);

  logic started = 1'b0;
  logic rst_ni;

  always_ff @(posedge clk_i) begin
    started <= 1'b1;
  end

  assign rst_ni = started && !reset_i;

  if (Skid != 0) begin : gen_skid
    mx_skid_buffer #(.Width(Width)) u_unit (
      .clk_i, .rst_ni, .valid_i, .ready_o, .data_i, .valid_o, .ready_i, .data_o
    );
  end else begin : gen_stage
    mx_pipe_stage #(.Width(Width)) u_unit (
      .clk_i, .rst_ni, .valid_i, .ready_o, .data_i, .valid_o, .ready_i, .data_o
    );
  end

  // The queue: items in it, the oldest first.
  logic [1:0]       count = 2'd0;
  logic [Width-1:0] oldest, second;
  logic             takes, gives;

  assign takes = valid_i && ready_o && rst_ni;
  assign gives = count != 2'd0 && ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      count <= 2'd0;
    end else begin
      count <= count + 2'(takes) - 2'(gives);
    end
    if (takes && (count == 2'd0 || (count == 2'd1 && gives))) begin
      oldest <= data_i;
    end else if (gives) begin
      oldest <= second;
    end
    if (takes) begin
      second <= data_i;
    end
  end

  // Room: a skid buffer has a second place, a stage its only one while that is being emptied.
  logic has_room;

  assign has_room = (Skid != 0) ? count < 2'd2 : count == 2'd0 || ready_i;

  // In the first cycle nothing is known yet.
  assign holds = !started
      || (valid_o == (count != 2'd0) && (!valid_o || data_o == oldest) && ready_o == has_room);

endmodule
