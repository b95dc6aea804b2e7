pragma circom 2.0.0;

// The sum of products of pairs, each times a public scale, from an offset that is a bit.
template Weighted(n) {
    signal input scale;
    signal input pairs[n][2];
    signal input offset;
    signal output total;
    signal products[n];
    signal sums[n + 1];

    offset * (offset - 1) === 0;
    sums[0] <== offset;
    for (var i = 0; i < n; i++) {
        products[i] <== pairs[i][0] * pairs[i][1];
        sums[i + 1] <== sums[i] + scale * products[i];
    }
    total <== sums[n] * sums[n];
}

component main {public [scale]} = Weighted(3);
