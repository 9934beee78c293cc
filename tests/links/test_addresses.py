"""Which addresses a link may lead to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.links.addresses import MAX_LINK_CHARACTERS, is_public, read_link


@pytest.mark.parametrize(
    ("text", "url", "host", "port"),
    [
        ("https://a.org/b/c.mp4", "https://a.org/b/c.mp4", "a.org", 443),
        ("  HTTP://A.org ", "http://a.org/", "a.org", 80),
        ("http://a.org:8080/x?y=1#t=3", "http://a.org:8080/x?y=1", "a.org", 8080),
        ("https://a.org:443/x", "https://a.org/x", "a.org", 443),
        ("https://[2001:4860::1]/x", "https://[2001:4860::1]/x", "2001:4860::1", 443),
        ("https://bücher.example/f", "https://xn--bcher-kva.example/f", None, 443),
        ("https://a.org/ü%20%2f", "https://a.org/%C3%BC%20%2f", "a.org", 443),
        ("https://a.org./x", "https://a.org/x", "a.org", 443),
    ],
)
def test_links_that_are_asked_for(
    text: str, url: str, host: str | None, port: int
) -> None:
    link = read_link(text)
    assert (link.url, link.port) == (url, port)
    assert host is None or link.host == host


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a link"),
        ("a.org/film.mp4", "not a link"),
        ("file:///etc/passwd", "not a link"),
        ("ftp://a.org/x", "not a link"),
        ("s3://bucket/x", "not a link"),
        ("data:video/mp4;base64,AAAA", "not a link"),
        ("https:///x", "not a link"),
        ("https://a.org/a b", "not a link"),
        ("https://a.org/a\nHost: b", "not a link"),
        ("https://a.org\\@b.org/", "not a link"),
        ("https://a.org:99999/", "can be read"),
        ("https://[::1/", "can be read"),
        ("https://" + "ü" * 300 + ".org/", "can be read"),
        ("https://ann:secret@a.org/", "a password"),
        ("https://@a.org/", "a password"),
        ("http://a.org:22/", "Port 22"),
        ("http://a.org:25/", "Port 25"),
        ("http://a.org:0/", "Port 0"),
        ("https://a.org/" + "x" * MAX_LINK_CHARACTERS, "characters"),
    ],
)
def test_links_that_are_not(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_link(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("location", ["http://[::1", "//[", "http://[x]/a"])
def test_a_redirect_that_is_no_link(location: str) -> None:
    with pytest.raises(InputError, match="can be read"):
        read_link("https://a.org/x").follow(location)


@given(st.text(max_size=60))
def test_any_text_is_a_link_or_one_plain_line(text: str) -> None:
    for each in (text, f"https://{text}", f"https://a.org/{text}"):
        try:
            link = read_link(each)
        except InputError as error:
            assert str(error).isprintable()
        else:
            assert link.url.isascii() and link.url.isprintable()
            assert read_link(link.url) == link


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/y", "https://a.org/y"),
        ("y", "https://a.org/d/y"),
        ("//b.org/y", "https://b.org/y"),
        ("https://b.org:8443/y", "https://b.org:8443/y"),
    ],
)
def test_redirects_are_followed(location: str, url: str) -> None:
    assert read_link("https://a.org/d/x").follow(location).url == url


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://a.org/y", "from https to http"),
        ("file:///etc/passwd", "not a link"),
        ("https://u:p@a.org/", "password"),
        ("//a.org:25/", "Port 25"),
    ],
)
def test_redirects_that_are_not(location: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_link("https://a.org/d/x").follow(location)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2001:4860:4860::8888", "2606:4700::1111"]
)
def test_the_open_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1"),
        *("198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
        *("::", "::1", "::127.0.0.1", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fd12:3456::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
        # IPv4 inside IPv6: mapped, 6to4, Teredo, NAT64.
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:c0a8:101::"),
        *("2001:0:4136:e378:8000:63bf:80ff:fffe", "64:ff9b::7f00:1"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"),
        *("", "localhost", "127.1", "0x7f000001", "1.2.3", "8.8.8.8 "),
    ],
)
def test_what_leads_back(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_as_public_as_the_one_it_carries(
    address: ipaddress.IPv4Address,
) -> None:
    number = int(address)
    mapped = ipaddress.IPv6Address((0xFFFF << 32) | number)
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (number << 80))
    translated = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    told = {is_public(str(each)) for each in (address, mapped, six_to_four, translated)}
    assert len(told) == 1
