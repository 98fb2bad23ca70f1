"""Amazon ECR's own deletion: the signature by AWS's published examples, the words of its errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fake_makers import AWS_SECRET, FakeMaker, open_maker
from gitops.adapters.registry.ecr import HOST, AwsKey, signed
from gitops.adapters.registry.own_ways import _kind_of
from gitops.core.images.name import ImageName
from gitops.errors import Denied, Unavailable
from images import push_index

# AWS Signature Version 4 Test Suite, published by AWS: its key, time and signatures.
KEY = AwsKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("GET", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    ],
)
def test_the_signature(method: str, signature: str) -> None:
    """What AWS publishes for its key, `get-vanilla` and `post-vanilla`, is what we make."""
    request = (method, "example.amazonaws.com", "/", b"")
    made = signed(KEY, "us-east-1", "service", request, {}, NOW)

    assert made["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


def test_hosts() -> None:
    """Account and region are those of the registry's name; others are none."""
    assert _kind_of("123456789012.dkr.ecr.eu-west-1.amazonaws.com") == (
        "ecr 123456789012 eu-west-1 https://api.ecr.eu-west-1.amazonaws.com"
    )
    for host in ("123.dkr.ecr.eu-west-1.amazonaws.com", "x.dkr.ecr.a.amazonaws.com.evil.example"):
        assert HOST.fullmatch(host) is None


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [(400, Denied, "not authorized"), (503, Unavailable, "not authorized")],
)
def test_a_no(status: int, error: type[Exception], words: str) -> None:
    """What Amazon says is passed on, before anything has changed, and never the key."""
    with FakeMaker("ecr") as maker:
        name = ImageName(maker.host, "shop/api")
        pushed = push_index(maker.shelf, name, "f")
        maker.refuses = (status, f"not authorized {AWS_SECRET}")
        registry = open_maker(maker)
        with pytest.raises(error, match=words) as caught:
            registry.untag(name, "f", expect=pushed.digest)
        assert AWS_SECRET not in str(caught.value)
        assert registry.resolve(name, "f") == pushed.digest


def test_without_a_key() -> None:
    """The way out is said, and nothing is asked."""
    with FakeMaker("ecr") as maker:
        name = ImageName(maker.host, "shop/api")
        pushed = push_index(maker.shelf, name, "f")
        registry = open_maker(maker, AWS_ACCESS_KEY_ID="")
        with pytest.raises(Denied) as caught:
            registry.untag(name, "f", expect=pushed.digest)
        assert "AWS_ACCESS_KEY_ID" in str(caught.value.hint)
        assert registry.resolve(name, "f") == pushed.digest
