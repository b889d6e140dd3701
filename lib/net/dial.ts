/**
 * Opens a TCP connection to an address literal. Names are for the control plane's resolver: here they
 * would occupy a blocking thread. The caller closes the connection.
 *
 * @param signal Ends the attempt; without one the system's own limit holds, about 130 s.
 * @throws Whatever the runtime throws; `classifyDial` tells what happened.
 */
export function dial(address: string, port: number, signal: AbortSignal): Promise<Deno.TcpConn> {
  return Deno.connect({ transport: "tcp", hostname: address, port, signal });
}
