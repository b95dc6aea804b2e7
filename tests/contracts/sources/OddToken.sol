// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// A token as some are: it answers nothing, or `false`, or two words, or keeps a part of what moves.
contract OddToken {
    enum Answer {
        Nothing,
        Yes,
        No,
        Other,
        Short,
        Refusal
    }

    mapping(address => uint256) public balanceOf;
    Answer private _answer;
    uint256 private _fee;

    function mint(address holder, uint256 amount) external {
        balanceOf[holder] += amount;
    }

    function be(Answer answer, uint256 fee) external {
        (_answer, _fee) = (answer, fee);
    }

    function transfer(address to, uint256 value) external {
        _move(msg.sender, to, value);
    }

    function transferFrom(address from, address to, uint256 value) external {
        _move(from, to, value);
    }

    function _move(address from, address to, uint256 value) private {
        if (_answer == Answer.Refusal) revert();
        require(balanceOf[from] >= value, "too little");
        balanceOf[from] -= value;
        balanceOf[to] += value - _fee;
        if (_answer == Answer.Nothing) return;
        uint256 word = _answer == Answer.No ? 0 : _answer == Answer.Other ? 2 : 1;
        uint256 size = _answer == Answer.Short ? 31 : 32;
        assembly ("memory-safe") {
            mstore(0, word)
            return(0, size)
        }
    }
}
