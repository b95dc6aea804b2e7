"""A router's UPnP service, as small as it can be: run inside the router's namespace.

    python igd.py LAN_ADDRESS EXTERNAL_ADDRESS

It answers the search on 239.255.255.250:1900, describes itself, and forwards ports by nftables (the
chain `nat in`). Every change is one line on the standard output: `add TCP 8070 192.168.1.10`.
"""

from __future__ import annotations

import re
import socket
import struct
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

PORT = 5000
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
DESCRIPTION = f"""<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0"><device>
<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType>
<deviceList><device><deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType>
<serviceList><service><serviceType>{SERVICE}</serviceType>
<SCPDURL>/scpd.xml</SCPDURL><controlURL>/control</controlURL></service></serviceList>
</device></deviceList></device></deviceList></device></root>"""
ARGUMENTS = {
    "GetExternalIPAddress": (),
    "AddPortMapping": (
        "NewRemoteHost", "NewExternalPort", "NewProtocol", "NewInternalPort", "NewInternalClient",
        "NewEnabled", "NewPortMappingDescription", "NewLeaseDuration",
    ),
    "DeletePortMapping": ("NewRemoteHost", "NewExternalPort", "NewProtocol"),
}  # fmt: skip


def scpd() -> str:
    actions = "".join(
        f"<action><name>{action}</name><argumentList>"
        + "".join(
            f"<argument><name>{name}</name><direction>in</direction></argument>" for name in names
        )
        + "</argumentList></action>"
        for action, names in ARGUMENTS.items()
    )
    return f'<?xml version="1.0"?><scpd><actionList>{actions}</actionList></scpd>'


class Control(BaseHTTPRequestHandler):
    external: ClassVar[str]
    forwarded: ClassVar[dict[tuple[str, str], str]] = {}

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer(scpd() if self.path == "/scpd.xml" else DESCRIPTION)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = self.headers["SOAPAction"].strip('"').partition("#")[2]
        said = dict(re.findall(r"<(New\w+)>([^<]*)</", body))
        inner = ""
        if action == "GetExternalIPAddress":
            inner = f"<NewExternalIPAddress>{self.external}</NewExternalIPAddress>"
        elif action == "AddPortMapping":
            key = (said["NewProtocol"], said["NewExternalPort"])
            self.forwarded[key] = f"{said['NewInternalClient']}:{said['NewInternalPort']}"
            self._program(f"add {' '.join(key)} {said['NewInternalClient']}")
        elif action == "DeletePortMapping":
            key = (said["NewProtocol"], said["NewExternalPort"])
            self.forwarded.pop(key, None)
            self._program(f"delete {' '.join(key)}")
        self._answer(
            '<?xml version="1.0"?>'
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            f'<u:{action}Response xmlns:u="{SERVICE}">{inner}</u:{action}Response>'
            "</s:Body></s:Envelope>"
        )

    def _program(self, line: str) -> None:
        rules = "flush chain ip nat in" + "".join(
            f"; add rule ip nat in iifname net0 {protocol.lower()} dport {port} dnat to {target}"
            for (protocol, port), target in self.forwarded.items()
        )
        subprocess.run(["nft", rules], check=True)
        print(line, flush=True)

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


def answer_searches(lan: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("", 1900))
        group = struct.pack("4s4s", socket.inet_aton("239.255.255.250"), socket.inet_aton(lan))
        listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        while True:
            question, asker = listener.recvfrom(2048)
            if question.startswith(b"M-SEARCH"):
                listener.sendto(
                    "HTTP/1.1 200 OK\r\n"
                    "ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n"
                    f"LOCATION: http://{lan}:{PORT}/root.xml\r\n\r\n".encode(),
                    asker,
                )


def main() -> None:
    lan, Control.external = sys.argv[1:3]
    threading.Thread(target=answer_searches, args=(lan,), daemon=True).start()
    with HTTPServer((lan, PORT), Control) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
