package protocol

import (
	"fmt"
	"testing"
)

// healthService is a health service of grpcio, the C core of gRPC, whose messages are written out here.
const healthService = `
import grpc, sys, time
from concurrent import futures
known = {b"": b"\x08\x01", b"\n\x04shop": b"\x08\x01", b"\n\x03bar": b"\x08\x02"}
def check(request, context):
    if request == b"\n\x04slow":
        time.sleep(3600)
    if request not in known:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
    return known[request]
def server(to, credentials=None, handlers=()):
    s = grpc.server(futures.ThreadPoolExecutor(4))
    s.add_generic_rpc_handlers(handlers)
    s.add_secure_port(to, credentials) if credentials else s.add_insecure_port(to)
    s.start()
    return s
handler = grpc.method_handlers_generic_handler("grpc.health.v1.Health",
    {"Check": grpc.unary_unary_rpc_method_handler(check)})
key, cert = open(sys.argv[5], "rb").read(), open(sys.argv[4], "rb").read()
all = [server("127.0.0.1:" + sys.argv[1], handlers=(handler,)),
    server("127.0.0.1:" + sys.argv[2], grpc.ssl_server_credentials(((key, cert),)), (handler,)),
    server("127.0.0.1:" + sys.argv[3])]
all[0].wait_for_termination()
`

func TestRealGRPC(t *testing.T) {
	path, dir := needProgram(t, "/usr/bin/python3", "python3-grpcio"), serverDir(t)
	plain, secure, none := freePort(t), freePort(t), freePort(t)
	cert, key := writeCertificate(t, dir)
	pid := realServer{path: path, args: []string{"-c", healthService, fmt.Sprint(plain), fmt.Sprint(secure),
		fmt.Sprint(none), cert, key},
		ready: accepts(plain, secure, none)}.start(t)
	good := grpcSpec(loopback(plain), "")
	good.NegotiateTimeout = inTime
	checkReal(t, "grpc", good, "{secure}", fmt.Sprint(secure), "{none}", fmt.Sprint(none), "{ca}", cert)
	checkStopped(t, pid, good, "down: no answer in 150ms")
}
