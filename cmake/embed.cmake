# SPDX-License-Identifier: MIT
#
# Makes a C header out of a file: an array of its bytes. (A string would be too long for C17.)
#
# usage: cmake -DSOURCE=FILE -DTARGET=HEADER -DNAME=ARRAY -P embed.cmake

file(READ ${SOURCE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REPEAT "0x..," 16 line)
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
file(WRITE ${TARGET} "static const unsigned char ${NAME}[] = {\n${bytes}\n};\n")
