"""Requests whose framing two readers could understand differently, each as bytes with what the server says to it.

A vector is (name, bytes, status, ends): the status of the answer to the first request, None where there is none, and
whether the connection ends with it. What follows a vector that ends must never be read as a request; what follows one
that does not end is one.
"""

BODY = b'{"userId":"framing","event":"carrier"}'
KEY = b"Authorization: Bearer test-write-key\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"


def chunk(data, size=None, extension=b""):
    return (b"%x" % len(data) if size is None else size) + extension + b"\r\n" + data + b"\r\n"


CHUNKS = chunk(BODY) + b"0\r\n\r\n"


def post(fields, body, line=b"POST /v1/track HTTP/1.1\r\n", host=b"Host: attune\r\n"):
    return line + host + KEY + fields + b"\r\n" + body


def sized(size):
    """A chunked request whose first chunk has this size line."""
    return post(CHUNKED, size + b"\r\n" + BODY + b"\r\n0\r\n\r\n")


HEX = b"%x" % len(BODY)
REFUSED = [
    # Two lengths.
    ("length and chunked", post(LENGTH + CHUNKED, CHUNKS)),
    ("chunked and length", post(CHUNKED + LENGTH, CHUNKS)),
    ("chunked and length 0", post(CHUNKED + b"Content-Length: 0\r\n", CHUNKS)),
    ("two equal lengths", post(LENGTH + LENGTH, BODY)),
    ("two lengths", post(LENGTH + b"Content-Length: 5\r\n", BODY)),
    ("two lengths in other case", post(LENGTH + b"content-length: 5\r\n", BODY)),
    ("a list of lengths", post(b"Content-Length: 38, 38\r\n", BODY)),
    # Lengths that are none.
    ("length with a plus", post(b"Content-Length: +38\r\n", BODY)),
    ("negative length", post(b"Content-Length: -38\r\n", BODY)),
    ("hexadecimal length", post(b"Content-Length: 0x26\r\n", BODY)),
    ("length with a blank within", post(b"Content-Length: 3 8\r\n", BODY)),
    ("empty length", post(b"Content-Length: \r\n", BODY)),
    ("length with an exponent", post(b"Content-Length: 1e1\r\n", BODY)),
    ("length with a fraction", post(b"Content-Length: 38.0\r\n", BODY)),
    ("length with a vertical tab", post(b"Content-Length: 38\x0b\r\n", BODY)),
    ("length in quotes", post(b'Content-Length: "38"\r\n', BODY)),
    ("length beyond 64 bits", post(b"Content-Length: 99999999999999999999999\r\n", BODY)),
    ("length that wraps to the body's", post(b"Content-Length: 18446744073709551654\r\n", BODY)),
    # Transfer-Encoding.
    ("xchunked", post(b"Transfer-Encoding: xchunked\r\n", CHUNKS)),
    ("identity", post(b"Transfer-Encoding: identity\r\n", BODY)),
    ("chunked, identity", post(b"Transfer-Encoding: chunked, identity\r\n", CHUNKS)),
    ("gzip, chunked", post(b"Transfer-Encoding: gzip, chunked\r\n", CHUNKS)),
    ("chunked, chunked", post(b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS)),
    ("two fields of it", post(CHUNKED + CHUNKED, CHUNKS)),
    ("empty encoding and length", post(b"Transfer-Encoding: \r\n" + LENGTH, BODY)),
    ("encoding with a vertical tab", post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNKS)),
    ("encoding with a parameter", post(b"Transfer-Encoding: chunked;q=1\r\n", CHUNKS)),
    ("encoding in quotes", post(b'Transfer-Encoding: "chunked"\r\n', CHUNKS)),
    ("chunked in HTTP/1.0", post(CHUNKED, CHUNKS, line=b"POST /v1/track HTTP/1.0\r\n")),
    # Fields.
    ("blank before the colon", post(b"Transfer-Encoding : chunked\r\n", CHUNKS)),
    ("blank before the length's colon", post(b"Content-Length : 38\r\n", BODY)),
    ("tab before the colon", post(b"Content-Length\t: 38\r\n", BODY)),
    ("NUL in a name", post(b"Transfer-Encoding\0: chunked\r\n", CHUNKS)),
    ("NUL in a value", post(b"X-A: a\0b\r\n" + LENGTH, BODY)),
    ("control character in a value", post(b"X-A: a\x01b\r\n" + LENGTH, BODY)),
    ("DEL in a value", post(b"X-A: a\x7fb\r\n" + LENGTH, BODY)),
    ("folded with a blank", post(b"X-A: a\r\n b\r\n" + LENGTH, BODY)),
    ("folded with a tab", post(b"X-A: a\r\n\tb\r\n" + LENGTH, BODY)),
    ("folded encoding", post(b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS)),
    ("first line folded", b"POST /v1/track HTTP/1.1\r\n Host: attune\r\n" + KEY + LENGTH + b"\r\n" + BODY),
    ("no name", post(b": a\r\n" + LENGTH, BODY)),
    ("no colon", post(b"X-A\r\n" + LENGTH, BODY)),
    ("bracket in a name", post(b"X(A: a\r\n" + LENGTH, BODY)),
    ("name that is not ASCII", post(b"X-\xc3\xa9: a\r\n" + LENGTH, BODY)),
    ("bare LF everywhere", post(LENGTH, BODY).replace(b"\r\n", b"\n")),
    ("bare LF after one field", post(b"X-A: a\n" + LENGTH, BODY)),
    ("bare CR in a value", post(b"X-A: a\rX-B: b\r\n" + LENGTH, BODY)),
    ("CR CR LF", post(b"X-A: a\r\r\n" + LENGTH, BODY)),
    ("LF ends the head", post(LENGTH, b"")[:-2] + b"\n" + BODY),
    # Chunks.
    ("chunk size beyond 64 bits", sized(b"fffffffffffffffff")),
    ("chunk size that wraps", sized(b"1000000000000000" + HEX)),
    ("negative chunk size", sized(b"-" + HEX)),
    ("chunk size with a plus", sized(b"+" + HEX)),
    ("chunk size with 0x", sized(b"0x" + HEX)),
    ("blank before the chunk size", sized(b" " + HEX)),
    ("empty chunk size", sized(b"")),
    ("no chunk size", sized(b";a=b")),
    ("LF after the chunk size", post(CHUNKED, HEX + b"\n" + BODY + b"\r\n0\r\n\r\n")),
    ("LF after a chunk", post(CHUNKED, HEX + b"\r\n" + BODY + b"\n0\r\n\r\n")),
    ("nothing after a chunk", post(CHUNKED, HEX + b"\r\n" + BODY + b"0\r\n\r\n")),
    ("chunk longer than its size", post(CHUNKED, b"5\r\n" + BODY + b"\r\n0\r\n\r\n")),
    ("extensions over 4 KiB", post(CHUNKED, chunk(BODY, extension=b";" + b"a" * 5000) + b"0\r\n\r\n")),
    ("many extensions, together over 4 KiB", post(CHUNKED, b"".join(chunk(b" ", extension=b";" + b"a" * 100) for _ in range(50)) + CHUNKS)),
    ("bare LF in the trailers", post(CHUNKED, chunk(BODY) + b"0\r\nX-A: a\n\r\n\r\n")),
    ("a length in the trailers", post(CHUNKED, chunk(BODY) + b"0\r\nContent-Length: 5\r\n\r\n")),
    ("folded trailer", post(CHUNKED, chunk(BODY) + b"0\r\nX-A: a\r\n b\r\n\r\n")),
    # Host and target.
    ("no Host", post(LENGTH, BODY, host=b"")),
    ("two Hosts", post(b"Host: attune\r\n" + LENGTH, BODY)),
    ("two different Hosts", post(b"Host: other\r\n" + LENGTH, BODY)),
    ("a list of Hosts", post(LENGTH, BODY, host=b"Host: a, b\r\n")),
    ("Host with a path", post(LENGTH, BODY, host=b"Host: a/b\r\n")),
    ("Host with a user", post(LENGTH, BODY, host=b"Host: u@a\r\n")),
    ("another host in the target", post(LENGTH, BODY, line=b"POST http://other/v1/track HTTP/1.1\r\n")),
    ("a user in the target", post(LENGTH, BODY, line=b"POST http://attune@other/v1/track HTTP/1.1\r\n")),
    ("https in the target", post(LENGTH, BODY, line=b"POST https://attune/v1/track HTTP/1.1\r\n")),
    ("no host in the target", post(LENGTH, BODY, line=b"POST http:///v1/track HTTP/1.1\r\n")),
    ("a target without a slash", post(LENGTH, BODY, line=b"POST v1/track HTTP/1.1\r\n")),
    ("a star as target", post(LENGTH, BODY, line=b"POST * HTTP/1.1\r\n")),
    ("CONNECT", post(b"", b"", line=b"CONNECT attune:80 HTTP/1.1\r\n")),
    ("a fragment", post(LENGTH, BODY, line=b"POST /v1/track#a HTTP/1.1\r\n")),
    ("NUL in the target", post(LENGTH, BODY, line=b"POST /v1/track\0 HTTP/1.1\r\n")),
    # The request line.
    ("two blanks", post(LENGTH, BODY, line=b"POST  /v1/track HTTP/1.1\r\n")),
    ("two blanks before the version", post(LENGTH, BODY, line=b"POST /v1/track  HTTP/1.1\r\n")),
    ("a tab between", post(LENGTH, BODY, line=b"POST\t/v1/track\tHTTP/1.1\r\n")),
    ("a blank at its begin", b" " + post(LENGTH, BODY)),
    ("a blank at its end", post(LENGTH, BODY, line=b"POST /v1/track HTTP/1.1 \r\n")),
    ("a bracket in the method", post(LENGTH, BODY, line=b"PO(ST /v1/track HTTP/1.1\r\n")),
    ("a byte order mark", b"\xef\xbb\xbf" + post(LENGTH, BODY)),
    ("two empty lines before", b"\r\n\r\n" + post(LENGTH, BODY)),
    ("no version", post(LENGTH, BODY, line=b"POST /v1/track\r\n")),
    ("HTTP/0.9", b"GET /healthz\r\n"),
    ("version in small letters", post(LENGTH, BODY, line=b"POST /v1/track http/1.1\r\n")),
    ("version 1.10", post(LENGTH, BODY, line=b"POST /v1/track HTTP/1.10\r\n")),
    ("version 01.1", post(LENGTH, BODY, line=b"POST /v1/track HTTP/01.1\r\n")),
    ("version 1,1", post(LENGTH, BODY, line=b"POST /v1/track HTTP/1,1\r\n")),
    ("version without a number", post(LENGTH, BODY, line=b"POST /v1/track HTTP/\r\n")),
    ("TLS", bytes.fromhex("16030100f8010000f40303") + bytes(range(200)) + b"\r\n\r\n"),
    ("another protocol", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
]

VECTORS = [(name, data, 400, True) for name, data in REFUSED] + [
    # Over a limit.
    ("a line without end", post(b"X-A: " + b"a" * 20_000 + b"\r\n" + LENGTH, BODY), 431, True),
    ("a target of 9,000 bytes", post(LENGTH, BODY, line=b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\n"), 414, True),
    ("a target of 20,000 bytes", post(LENGTH, BODY, line=b"POST /" + b"a" * 20_000 + b" HTTP/1.1\r\n"), 414, True),
    ("101 fields", post(b"X-A: a\r\n" * 98 + LENGTH, BODY), 431, True),
    ("a chunk of 8 TiB", sized(b"80000000000"), 413, True),
    ("a length of 5 MB", post(b"Content-Length: 5000000\r\n", BODY), 413, True),
    # Versions and expectations that are not met.
    ("HTTP/2.0", post(LENGTH, BODY, line=b"POST /v1/track HTTP/2.0\r\n"), 505, True),
    ("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, True),
    ("HTTP/1.2", post(LENGTH, BODY, line=b"POST /v1/track HTTP/1.2\r\n"), 505, True),
    ("HTTP/0.9 with its number", post(LENGTH, BODY, line=b"POST /v1/track HTTP/0.9\r\n"), 505, True),
    ("an unknown expectation", post(b"Expect: 200-ok\r\n" + LENGTH, BODY), 417, True),
    # Requests that are right and the last of their connection.
    ("HTTP/1.0", post(LENGTH, BODY, line=b"POST /v1/track HTTP/1.0\r\n"), 200, True),
    ("HTTP/1.0 without Host", post(LENGTH, BODY, line=b"POST /v1/track HTTP/1.0\r\n", host=b""), 200, True),
    ("Connection: close", post(b"Connection: close\r\n" + LENGTH, BODY), 200, True),
    ("Connection: close among others", post(b"Connection: x, close\r\n" + LENGTH, BODY), 200, True),
    # Requests that are right.
    ("a length", post(LENGTH, BODY), 200, False),
    ("a length with zeros before", post(b"Content-Length: 00038\r\n", BODY), 200, False),
    ("a length with blanks around", post(b"Content-Length: \t 38 \t\r\n", BODY), 200, False),
    ("chunks", post(CHUNKED, CHUNKS), 200, False),
    ("chunks of a byte", post(CHUNKED, b"".join(chunk(BODY[i:i + 1]) for i in range(len(BODY))) + b"0\r\n\r\n"), 200, False),
    ("chunks in capitals", post(b"TRANSFER-ENCODING: CHUNKED\r\n", CHUNKS), 200, False),
    ("an extension", post(CHUNKED, chunk(BODY, extension=b';a="b"') + b"0\r\n\r\n"), 200, False),
    ("trailers", post(CHUNKED, chunk(BODY) + b"0\r\nX-A: a\r\n\r\n"), 200, False),
    ("an underscore is another field", post(b"Transfer_Encoding: chunked\r\n" + LENGTH, BODY), 200, False),
    ("a host of any case in the target", post(LENGTH, BODY, line=b"POST http://ATTUNE/v1/track HTTP/1.1\r\n"), 200, False),
    ("an empty line before", b"\r\n" + post(LENGTH, BODY), 200, False),
    ("HTTP/1.0 kept alive", post(b"Connection: keep-alive\r\n" + LENGTH, BODY, line=b"POST /v1/track HTTP/1.0\r\n"), 200, False),
    ("an offer of HTTP/2", post(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + LENGTH, BODY), 200, False),
    ("a body of a question", b"GET /healthz HTTP/1.1\r\nHost: attune\r\nContent-Length: 5\r\n\r\nhello", 200, False),
    ("a method in small letters", post(LENGTH, BODY, line=b"post /v1/track HTTP/1.1\r\n"), 405, False),
    ("99 fields", post(b"X-A: a\r\n" * 96 + LENGTH, BODY), 200, False),
]
