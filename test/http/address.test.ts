/** Whose address a request has: only a proxy that is trusted may say. */
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { clientAddress, holderOf, proxyList } from "../../src/http/address.ts";

describe("proxyList()", () => {
  test("takes addresses and networks of both families", () => {
    const list = proxyList(["10.0.0.0/8", "192.0.2.7", "fd00::/8", "2001:db8::1", "172.16.0.0/12"]);
    for (const [address, isIn] of [
      ["10.255.0.1", true],
      ["11.0.0.1", false],
      ["192.0.2.7", true],
      ["192.0.2.8", false],
      ["172.31.255.255", true],
      ["172.32.0.0", false],
      ["fd12:3456::1", true],
      ["fe80::1", false],
      ["2001:db8::1", true],
      ["2001:db8::2", false],
      ["::ffff:10.1.2.3", true],
      ["::ffff:11.1.2.3", false],
    ] as const) {
      expect(clientAddress(address, "203.0.113.9", list), address).toBe(isIn ? "203.0.113.9" : address);
    }
    // Whoever believes everybody is told nothing by anybody.
    expect(clientAddress("8.8.8.8", "203.0.113.9", proxyList(["0.0.0.0/0"]))).toBe("8.8.8.8");
  });
});

describe("clientAddress()", () => {
  const trusted = proxyList(["10.0.0.0/8", "fd00::/8"]);

  test("is the rightmost address that is not trusted", () => {
    for (const [forwarded, address] of [
      ["192.0.2.1", "192.0.2.1"],
      ["6.6.6.6, 192.0.2.1", "192.0.2.1"],
      ["6.6.6.6,192.0.2.1 , 10.1.1.1,fd00::5", "192.0.2.1"],
      ["2001:db8::1", "2001:db8::1"],
      // Only proxies: they have asked for themselves.
      ["10.1.1.1, 10.2.2.2", "10.0.0.1"],
      // What is no address where a proxy of ours should have written one.
      ["192.0.2.1, unknown", "10.0.0.1"],
      ["192.0.2.1,", "10.0.0.1"],
      ["", "10.0.0.1"],
      ["192.0.2.1:4711", "10.0.0.1"],
      ["1".repeat(15_000), "10.0.0.1"],
      // Garbage that a client has put in front does not matter.
      ["garbage,,; , 192.0.2.1", "192.0.2.1"],
    ] as const) {
      expect(clientAddress("10.0.0.1", forwarded, trusted), forwarded.slice(0, 50)).toBe(address);
    }
  });

  test("is the peer's when the peer is not trusted, or says nothing", () => {
    expect(clientAddress("192.0.2.9", "192.0.2.1", trusted)).toBe("192.0.2.9");
    expect(clientAddress("10.0.0.1", null, trusted)).toBe("10.0.0.1");
    expect(clientAddress("10.0.0.1", "192.0.2.1", proxyList([]))).toBe("10.0.0.1");
    // Of a connection that has ended.
    expect(clientAddress("", "192.0.2.1", trusted)).toBe("");
  });
});

describe("holderOf()", () => {
  test("is an IPv4 address, also in IPv6's clothes, or a /64", () => {
    for (const [address, holder] of [
      ["192.0.2.1", "192.0.2.1"],
      ["::ffff:192.0.2.1", "192.0.2.1"],
      ["::ffff:c000:201", "192.0.2.1"],
      ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
      ["2001:db8:1:2::", "2001:db8:1:2::/64"],
      ["2001:db8::6", "2001:db8:0:0::/64"],
      ["2001:0DB8::6", "2001:db8:0:0::/64"],
      ["fe80::1%eth0", "fe80:0:0:0::/64"],
      ["fe80::1%a:b:c:d:e:f", "fe80:0:0:0::/64"],
      ["::1", "0:0:0:0::/64"],
      ["", ""],
    ] as const) {
      expect(holderOf(address), address).toBe(holder);
    }
  });

  test("is the same for all that one network has, however it is written", () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const url = URL.parse(`http://[${address}]`);
        fc.pre(url !== null);
        const { hostname } = url;
        expect(holderOf(hostname.slice(1, -1))).toBe(holderOf(address));
      }),
    );
  });
});
