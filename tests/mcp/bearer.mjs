// Puts the bearer token of `ringfence mcp serve --listen` into requests that come without one: the
// conformance suite knows no tokens. Everything else passes as it is.
import http from "node:http";

const { hostname, port } = new URL(process.argv[2]);
const authorization = `Bearer ${process.env.RINGFENCE_TOKEN}`;

const proxy = http.createServer((request, response) => {
  const headers = [...request.rawHeaders, "Authorization", authorization];
  const options = { hostname, port, method: request.method, path: request.url, headers };
  const onward = http.request(options, (answer) => {
    response.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(response);
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
});
// The process that started this one holds the other end.
process.stdin.on("end", () => process.exit(0)).resume();
proxy.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${proxy.address().port}/mcp`));
